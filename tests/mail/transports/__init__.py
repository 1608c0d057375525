"""Transports, against real SMTP servers."""
