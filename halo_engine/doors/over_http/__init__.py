"""Doors over HTTP: their routes, and what a public key may not (contract §12)."""
