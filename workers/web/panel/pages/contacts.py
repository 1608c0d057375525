"""Contacts: the search, and everything about one (contract §1, §17).

A search is a form, and a contact's page is named by our own id: an email stands in no URL.
"""

from http import HTTPStatus
from typing import Final
from uuid import UUID

from halo_engine.answers.reports.contact_list import ContactPage
from halo_engine.answers.reports.timeline import Entry, What
from halo_engine.domain.errors import Refusal, not_found
from halo_engine.domain.roles import Role
from halo_engine.domain.rules_panel.reason_labels import REASON_LABELS, why_left, why_not_sent

from ..page import Page, PageAnswer, SeeOther, View, Visit, segment_of

_PAGE: Final = 50
#: What an entry of a timeline says happened.
_HAPPENED: Final = {
    What.EVENT: "Event",
    What.ENTERED: "Entered",
    What.CONVERTED: "Converted",
    What.LEFT: "Left",
    What.REFUSED: "Did not enter",
    What.MAIL_INTENDED: "Mail being sent",
    What.MAIL_SENT: "Mail sent",
    What.MAIL_FAILED: "Mail failed",
    What.MAIL_UNKNOWN: "Mail of unknown outcome",
    What.OPENED: "Opened a mail",
    What.CLICKED: "Clicked a link",
    What.REPLIED: "Replied",
    What.MACHINE_OPENED: "A machine opened a mail",
    What.MACHINE_CLICKED: "A machine followed a link",
    What.SIGNAL_WAITS: "A change waits to be handled",
}
_SUPPRESSED: Final = {
    "bounced": "Mail to its address bounced: it gets none.",
    "complained": "It called a mail spam: it gets none.",
    "unsubscribed": "It unsubscribed from everything: it gets no mail of any series.",
}


def _newest(visit: Visit) -> PageAnswer:
    return _found(visit, "", "")


def _search(visit: Visit) -> PageAnswer:
    return _found(visit, visit.form.get("q").strip(), visit.form.get("after"))


def _found(visit: Visit, searched: str, after: str) -> PageAnswer:
    given = {"search": searched or None, "after": after or None}
    asked = {name: value for name, value in given.items() if value is not None}
    found: ContactPage = visit.call("contacts.list", size=_PAGE, **asked)
    values = {"q": searched, "contacts": found.contacts, "next": found.next, "after": after}
    return View("contacts/search.html", values)


def _remove(visit: Visit) -> PageAnswer:
    """Take the contact out of a series."""
    contact_id, series = _id_of(visit), visit.form.get("series")
    found = visit.call("contacts.show", id=str(contact_id))
    try:
        visit.call("series.remove", series=series, contact=found.user_id or found.email)
    except Refusal as refusal:
        return _shown(visit, refusal.message, refusal.status)
    return SeeOther(f"/contacts/{contact_id}")


def _show(visit: Visit) -> PageAnswer:
    return _shown(visit)


def _shown(visit: Visit, problem: str = "", status: int = HTTPStatus.OK) -> View:
    """Show what is known of a contact, and a page of its timeline."""
    contact_id, after = _id_of(visit), visit.query.get("after")
    found = visit.call("contacts.show", id=str(contact_id))
    timeline = found.timeline
    if after:
        timeline = visit.call("contacts.timeline", id=str(contact_id), after=after, size=_PAGE)
    here = f"/contacts/{contact_id}"
    values = {
        "here": here,
        "problem": problem,
        "contact": found,
        "title": found.user_id or found.email or "Contact without a name",
        "suppressed": _SUPPRESSED.get(found.suppressed or "", ""),
        "entries": tuple((each, _HAPPENED[each.what], _said(each)) for each in timeline.items),
        "next": f"{here}?after={segment_of(timeline.next)}" if timeline.next else None,
        "first": here if after else None,
        "complete_since": timeline.complete_since,
        "why_left": why_left,
        "why_not_sent": why_not_sent,
    }
    return View("contacts/contact.html", values, status)


def _id_of(visit: Visit) -> UUID:
    named = visit.path("contact")
    try:
        return UUID(named)
    except ValueError:
        raise not_found("contact", named) from None


def _said(entry: Entry) -> str:
    """Return what a timeline's entry is about, in words."""
    said = entry.said or ""
    match entry.what:
        case What.LEFT:
            return why_left(said)
        case What.REFUSED:
            return REASON_LABELS.get(said, said)
        case What.MAIL_FAILED:
            return why_not_sent(said)
    return said


PAGES: Final = (
    Page("GET", "/contacts", _newest),
    Page("POST", "/contacts", _search),
    Page("GET", "/contacts/{contact}", _show),
    Page("POST", "/contacts/{contact}/remove", _remove, Role.EDITOR),
)
