"""The names of statements, read from their text as it was sent."""

import re


def name_in(text: str) -> str | None:
    """Return the name that a statement was sent with; None if it had none."""
    found = re.search(r" /\* halo:(\w+) \*/", text)
    return found and found[1]
