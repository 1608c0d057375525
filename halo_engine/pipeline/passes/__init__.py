"""Passes over the contacts: when one begins, and whom it looks at (contract §4, decision 74)."""
