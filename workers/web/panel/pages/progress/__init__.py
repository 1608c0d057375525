"""How a series goes: its steps, what became of each, its ledger, and why for a contact (§17)."""
