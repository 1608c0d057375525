"""Why an audience matches few contacts (contract §10)."""
