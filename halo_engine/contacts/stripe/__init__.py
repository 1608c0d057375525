"""Stripe: which contact a customer is, and what its subscriptions set (contract §2)."""
