"""A move of an organisation, measured."""
