"""The commands that work on contacts."""
