"""Stripe's objects against a real database."""
