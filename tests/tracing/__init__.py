"""What causes a piece of work, and what is traced of it."""
