"""The HTML of an email, as it is read when it is saved."""
