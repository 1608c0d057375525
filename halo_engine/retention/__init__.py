"""Deleting what is older than it is kept, in small steps that nobody waits for (contract §24)."""
