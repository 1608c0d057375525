"""Organisations: their settings, how those are stored, and the keys and secrets of each."""
