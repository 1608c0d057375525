"""Statements on an installation whose statistics are older than its rows."""
