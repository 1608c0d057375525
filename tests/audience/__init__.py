"""Whom filters and audiences mean, on a real database (contract §3, §5)."""
