"""Lists, suppressions and erasure against a real database."""
