"""The Series Rules panel without its page."""
