"""Surges: who may enter at once, who is held, and how those are released (contract §19)."""
