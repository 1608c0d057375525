"""YAML files read strictly: every fault has a line, in our words."""
