"""The ways in: how contacts, companies and events come and change (contract §2)."""
