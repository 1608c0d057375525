"""The generated pages, by their paths in `docs/`, each with the function that makes it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from manual import (
    commands,
    decisions,
    exits,
    filters,
    http,
    reasons,
    refusals,
    scenarios,
    series,
    settings,
    tasks,
    warnings,
)

DOCS: Final = Path(__file__).parents[1] / "docs"

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "decisions/index.md": decisions.page,
    "reference/commands.md": commands.page,
    "reference/exits.md": exits.page,
    "reference/filters.md": filters.page,
    "reference/http.md": http.page,
    "reference/reasons.md": reasons.page,
    "reference/refusals.md": refusals.page,
    "reference/scenarios.md": scenarios.page,
    "reference/series.md": series.page,
    "reference/settings.md": settings.page,
    "reference/tasks.md": tasks.page,
    "reference/warnings.md": warnings.page,
}


def outdated() -> list[str]:
    """Return the paths of pages that are out of date, or that no function makes."""
    made = {name: page() for name, page in PAGES.items()}
    kept = {name: _kept(DOCS / name) for name in {*made, *_references()}}
    return sorted(name for name in kept if kept[name] != made.get(name))


def _references() -> list[str]:
    return [path.relative_to(DOCS).as_posix() for path in DOCS.glob("reference/*.md")]


def _kept(page: Path) -> str | None:
    return page.read_text(encoding="utf-8") if page.exists() else None
