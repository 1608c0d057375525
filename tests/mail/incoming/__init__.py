"""What incoming mail does, against a real database."""
