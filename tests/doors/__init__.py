"""The table of doors (decision 35)."""
