"""Rehearsal: series tested like code, on a virtual clock, against the real engine (scenario
files).
"""
