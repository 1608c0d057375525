"""How long histories are kept, and what is left when they are gone (contract §24)."""
