"""The ways in, each against a real database."""
