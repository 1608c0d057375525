"""What a restored database would send again, and how it learns what was sent (decision 75)."""
