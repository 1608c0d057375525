"""The rules panel of a series, as a marketer uses it."""
