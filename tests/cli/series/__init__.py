"""The commands that work on series."""
