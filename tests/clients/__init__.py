"""Other people's clients: what they send, and what becomes of it (contract §13)."""
