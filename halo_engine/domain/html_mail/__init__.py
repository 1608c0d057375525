"""Read the HTML of an email: what is refused, what is mended, where values go (contract §15)."""
