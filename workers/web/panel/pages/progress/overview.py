"""How a series goes: the page, and its counted parts, which follow it (contract §17)."""

from typing import Final

from ...page import Page, PageAnswer, View, Visit
from .ledger import ledger_values
from .series import OneSeries, read_series
from .steps import ends_of, reached, step_lines


def _show(visit: Visit) -> PageAnswer:
    """Show the steps in words at once; with ``counted`` in the query the numbers too."""
    one = read_series(visit)
    values = {
        **one.values("/progress"),
        "lines": tuple(step_lines(one.definition)),
        "counted": False,
    }
    if "counted" in visit.query:
        values |= {"counted": True, **_funnel(visit, one), **_ledger(visit, one)}
    return View("progress/progress.html", values)


def _funnel_part(visit: Visit) -> PageAnswer:
    one = read_series(visit)
    return View("progress/funnel.html", {**one.values("/progress"), **_funnel(visit, one)})


def _steps_part(visit: Visit) -> PageAnswer:
    one = read_series(visit)
    return View("progress/steps.html", {**one.values("/progress"), **_funnel(visit, one)})


def _ledger_part(visit: Visit) -> PageAnswer:
    one = read_series(visit)
    return View("progress/ledger.html", {**one.values("/progress"), **_ledger(visit, one)})


def _funnel(visit: Visit, one: OneSeries) -> dict[str, object]:
    found = visit.call("series.funnel", series=one.key)
    return {
        "funnel": found,
        "ends": ends_of(found),
        "reached": reached(found),
        "lines": tuple(step_lines(one.definition, found)),
    }


def _ledger(visit: Visit, one: OneSeries) -> dict[str, object]:
    return ledger_values(visit.call("series.ledger", series=one.key))


PAGES: Final = (
    Page("GET", "/series/{series}/progress", _show),
    Page("GET", "/series/{series}/progress/funnel", _funnel_part),
    Page("GET", "/series/{series}/progress/steps", _steps_part),
    Page("GET", "/series/{series}/progress/ledger", _ledger_part),
)
