"""Serves the organisations of all cells, each cell by an application of its own."""
