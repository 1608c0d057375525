"""Imports and update batches, and what they would do: tried and rolled back (contract §2, §18)."""
