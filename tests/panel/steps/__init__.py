"""Writing, ordering, previewing and testing steps (contract §17)."""
