"""Plays scenario files against the model, and compares."""
