"""The glossary explains words that are used, and each once."""

import re
from collections import Counter
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
GLOSSARY: Final = ROOT / "docs" / "explanation" / "glossary.md"
_FOLDERS: Final = ("halo_engine", "workers", "docs")
#: A row of the table begins with its words; what stands in brackets says which one is meant.
_ROW: Final = re.compile(r"^\| ([^|]+?) \|", re.MULTILINE)


def _words() -> list[str]:
    """Return the words that the glossary explains; "recipient, row" are two."""
    _, _, *rows = _ROW.findall(GLOSSARY.read_text())
    return [word for row in rows for word in re.sub(r" \(.*\)", "", row).split(", ")]


def _texts() -> str:
    """Return code and documents, without the glossary and the decisions, which are history."""
    paths = (path for folder in _FOLDERS for path in (ROOT / folder).rglob("*"))
    return "\n".join(
        path.read_text()
        for path in paths
        if path.suffix in (".py", ".md") and path != GLOSSARY and "decisions" not in path.parts
    ).lower()


def test_every_word_is_used() -> None:
    """Code or documents use each word."""
    texts = _texts()
    unused = {word for word in _words() if not re.search(rf"\b{word}", texts)}
    assert unused == set()


def test_every_word_is_explained_once() -> None:
    """No word has two meanings."""
    assert [word for word, rows in Counter(_words()).items() if rows > 1] == []
