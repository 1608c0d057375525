"""Cells: the directory, and the edge that finds an organisation in its cell."""
