"""Compose one email: text, HTML, links and merge values (contract §9)."""
