"""A restored database sends no mail twice."""
