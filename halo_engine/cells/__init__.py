"""Cells: an installation's database servers, and which organisation lives in which (decision
69).
"""
