"""Why a contact is, or is not, in a series (contract §10)."""
