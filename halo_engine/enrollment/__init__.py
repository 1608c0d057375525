"""Entering a series: which series a signal concerns, the guards, and the statement that enrolls."""
