"""How a series goes, as a marketer sees it (contract §17)."""
