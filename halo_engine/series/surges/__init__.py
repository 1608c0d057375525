"""What surges leave with a series: whom they hold and let go, what ``auto`` came to (§19)."""
