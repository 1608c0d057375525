"""The queue of signals: what is taken from it, and what becomes of what fails (contract §1)."""
