"""Who operates an organisation: their keys, their roles, and the log of what they changed."""
