"""The ledger as a bar, and the contacts of each of its parts (contract §10, §17)."""

from typing import Any, Final
from uuid import UUID

from halo_engine.answers.reports.bucket import ACTIVE_OUTSIDE, HELD_OUTSIDE, WAITING_OUTSIDE
from halo_engine.answers.reports.contact_list import ContactPage
from halo_engine.answers.reports.ledger import Ledger
from halo_engine.domain.rules_panel.reason_labels import REASON_LABELS

from ...page import Page, PageAnswer, View, Visit
from .series import path_of, read_series
from .steps import Part

_PAGE: Final = 50


def parts_of(found: Ledger) -> list[Part]:
    """Return the parts of a ledger; they add up to matched."""
    path = path_of(found.series)
    return [_part(path, code, count) for code, count in found.buckets.items()]


def outside_of(found: Ledger) -> Part:
    """Return who is in the series but no longer matches: beside the ledger."""
    return _part(path_of(found.series), ACTIVE_OUTSIDE, found.active_outside)


def held_outside_of(found: Ledger) -> Part:
    """Return who is held but no longer matches: beside the ledger too."""
    return _part(path_of(found.series), HELD_OUTSIDE, found.held_outside)


def waiting_of(found: Ledger) -> Part:
    """Return who waits for data and does not match yet: beside the ledger too."""
    return _part(path_of(found.series), WAITING_OUTSIDE, found.waiting_outside)


def name_of(code: str) -> str:
    """Return what the panel calls a part of the ledger, or a reason code."""
    return REASON_LABELS.get(code, code)


def _part(path: str, code: str, count: int) -> Part:
    return Part(name_of(code), count, f"{path}/ledger/{code}")


def _show(visit: Visit) -> PageAnswer:
    """Show a page of the contacts of one part."""
    one = read_series(visit)
    code, after = visit.path("code"), visit.query.get("after")
    given = {"after": after} if after else {}
    found: ContactPage = visit.call("series.bucket", series=one.key, code=code, size=_PAGE, **given)
    here = f"{one.path}/ledger/{code}"
    values = {
        **one.values("/progress"),
        "title": name_of(code),
        "contacts": found.contacts,
        "next": _next(here, found.next),
        "first": here if after else None,
    }
    return View("progress/bucket.html", values)


def _next(here: str, after: UUID | None) -> str | None:
    return None if after is None else f"{here}?after={after}"


def ledger_values(found: Ledger) -> dict[str, Any]:
    """Return what the template of a ledger shows."""
    return {
        "ledger": found,
        "parts": parts_of(found),
        "outside": outside_of(found),
        "held": held_outside_of(found),
        "waiting": waiting_of(found),
    }


PAGES: Final = (Page("GET", "/series/{series}/ledger/{code}", _show),)
