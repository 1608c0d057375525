"""Webhooks out: real receivers on ports of their own (contract §14)."""
