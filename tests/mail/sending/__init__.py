"""Sending due mail, against a real database."""
