"""The page of all series, and the counts that follow it (contract §17)."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from halo_engine.answers.reports.overview import SeriesCounts, SeriesPage
from halo_engine.domain.errors import Refusal
from halo_engine.domain.rules_panel.sentences import trigger_in_words

from ..page import Page, PageAnswer, Part, View, Visit

_PATH: Final = "/series"


def _show(visit: Visit) -> PageAnswer:
    """Show a page of the series at once; what takes longer follows."""
    page = _page(visit)
    values = {
        **_values(page, {}),
        "q": visit.query.get("q"),
        "is_first": "after" not in visit.query,
        "counts_path": _path("/series-counts", visit),
        "next_path": page.next and _path(_PATH, visit, after=str(page.next)),
        "first_path": "after" in visit.query and _path(_PATH, visit, after=""),
    }
    return View("series_list.html", values)


def _count(visit: Visit) -> PageAnswer:
    """Show the same series with what came of them."""
    page = _page(visit)
    keys = [line.series for line in page.items]
    counted: list[SeriesCounts] = visit.call("series.count", series=keys) if keys else []
    values = _values(page, {each.series: each for each in counted})
    return Part("series_table.html", "Series, counted", values)


def _needs(visit: Visit) -> PageAnswer:
    """Show what needs a person, and what holds mail."""
    return Part("needs.html", "What needs you", {"status": visit.call("organizations.status")})


def _page(visit: Visit) -> SeriesPage:
    """Return the page of series that the query asks for; a cursor that is none is the first."""
    searched = visit.query.get("q").strip() or None
    try:
        after = str(UUID(visit.query.get("after")))
    except ValueError:
        after = None
    try:
        page: SeriesPage = visit.call("series.find", search=searched, after=after)
    except Refusal:
        # Text that cannot be stored is in no name.
        return SeriesPage(items=(), found=0, next=None)
    return page


def _values(page: SeriesPage, counts: Mapping[str, SeriesCounts]) -> dict[str, object]:
    triggers = {
        line.series: trigger_in_words(line.entry_trigger, line.entry_event_name)
        for line in page.items
    }
    return {"page": page, "triggers": triggers, "counts": counts}


def _path(path: str, visit: Visit, **more: str) -> str:
    asked = {"q": visit.query.get("q"), "after": visit.query.get("after"), **more}
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{path}?{query}" if query else path


PAGES: Final = (
    Page("GET", "/series", _show),
    Page("GET", "/series-counts", _count),
    Page("GET", "/needs", _needs),
)
