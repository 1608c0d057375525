"""What keeps a series from being activated, and what is worth a warning (§8)."""
