"""Writes Markdown: tables, and the texts of docstrings and help."""

import inspect
import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown of one line."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()


def code(text: object) -> str:
    """Return the text as code."""
    return f"`{text}`"


def codes(texts: Iterable[object]) -> str:
    """Return each text as code, with commas between them."""
    return ", ".join(map(code, texts))


def prose(docstring: str | None) -> str:
    """Return the paragraphs of a docstring or a help text, each on one line.

    As in click, a paragraph that begins with a backspace is shown as it is. Citations of the
    contract are left out.
    """
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(map(_paragraph, paragraphs))


def _paragraph(text: str) -> str:
    if text.startswith("\b"):
        return f"<!-- not run: an outline -->\n\n```text\n{text.removeprefix(chr(8)).strip()}\n```"
    line = " ".join(text.split()).replace("``", "`")
    return re.sub(r" ?\((contract )?§[^)]*\)", "", line)
