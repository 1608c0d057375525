"""Tests of who operates an organisation, and what they leave behind."""
