"""The doors: everything that callers can ask of the engine, each declared once (decision 35).

``table.DOORS`` has them all by name. Tasks, HTTP routes, JSON schemas and reference pages are made
from it.
"""
