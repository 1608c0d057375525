"""Say who a contact is: identify, leads, backfills, integrations (contract §2)."""
