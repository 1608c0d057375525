"""Identify companies, and write them (contract §2)."""
