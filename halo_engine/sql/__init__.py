"""How statements are written: sets of rows, kept statements, versions, statistics."""
