"""Webhooks out: endpoints, and how messages get to them (contract §14)."""
