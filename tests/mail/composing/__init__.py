"""Single emails: what is in them."""
