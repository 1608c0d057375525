"""Reports: who would be in, the ledger, the funnel, lists of contacts, fields and events."""
