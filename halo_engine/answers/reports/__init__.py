"""Lists and counts for people: contacts, fields, ledger, funnel, failures."""
