"""Series in files: read, compared, applied and written back (contract §8)."""
