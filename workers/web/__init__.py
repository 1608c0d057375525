"""HTTP: the process that serves it; a request becomes a call of a door (contract §12)."""
