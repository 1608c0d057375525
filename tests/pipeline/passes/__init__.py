"""Passes that look at what may have changed, and the notes that they take."""
