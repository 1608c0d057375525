"""Makes the list of decisions from their titles."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "docs" / "decisions"

_INTRODUCTION = """\
# Decisions

What was decided where the contract leaves a choice, why, and what would make us think again. The
first page says how they are kept.

"""


def page() -> str:
    """Return the page: each decision by its number and title."""
    titles = [(path, path.read_text(encoding="utf-8").partition("\n")[0]) for path in _pages()]
    lines = [f"- [{title.removeprefix('# ')}]({path.name})\n" for path, title in titles]
    return _INTRODUCTION + "".join(lines)


def _pages() -> list[Path]:
    return sorted(FOLDER.glob("0*.md"))
