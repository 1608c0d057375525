"""The Series Rules panel without its page: labels, sentences, the form and its buttons (§17)."""
