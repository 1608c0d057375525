"""The panel in a real browser: each test is a sentence that a marketer would say (contract §17)."""
