"""The rules of the contract as plain Python: no database, no clock."""
