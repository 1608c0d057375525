"""Files that came over HTTP: taken in pieces, looked into, imported in turns (contract §12)."""
