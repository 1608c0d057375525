"""An organisation moves to another database while it works."""
