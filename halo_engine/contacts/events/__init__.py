"""Track what contacts do, and count it (contract §2, Events)."""
