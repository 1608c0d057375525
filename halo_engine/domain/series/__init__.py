"""Series: their definition, what triggers them, what becomes of a run (contract §4 to §8)."""
