"""Imports and update batches, and trials of them."""
