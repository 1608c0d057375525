"""Answers to "why"."""
