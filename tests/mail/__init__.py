"""Mail: composed, sent, read."""
