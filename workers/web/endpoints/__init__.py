"""The handlers of routes, and how callers prove who they are (contract §12)."""
