"""HTTP: real processes on real ports (contract §12)."""
