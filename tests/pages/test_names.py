"""The files that pages name are there."""

import re
from typing import Final

from manual.pages import DOCS

_ROOT: Final = DOCS.parent
_PAGES: Final = [
    _ROOT / "CONTRIBUTING.md",
    *DOCS.glob("explanation/*.md"),
    *DOCS.glob("guides/*.md"),
]
#: From where pages name files: the repository, and the engine.
_FROM: Final = (_ROOT, _ROOT / "halo_engine")


def test_every_file_that_a_page_names_is_there() -> None:
    """Files are named by their paths in the repository, or in the engine."""
    missing = [
        f"{page.name}: {name}"
        for page in _PAGES
        for name in re.findall(r"`([\w/.]+/\w+\.py)`", page.read_text(encoding="utf-8"))
        if not any((folder / name).is_file() for folder in _FROM)
    ]
    assert missing == []
