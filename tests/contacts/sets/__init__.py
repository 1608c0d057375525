"""Calls that are done together as a set, against a real database."""
