"""Write contacts: match, merge and upsert them as a set (contract §2)."""
