"""Whom a filter means: the one compiler into SQL, and many series matched in one scan (§3)."""
