"""Rehearsals: scenario files played on a virtual clock against the real engine."""
