"""CSV imports against a real database."""
