"""What pickers of the panel suggest once somebody goes to them: fields, values, events and their
properties (§17).
"""

from collections.abc import Iterable
from typing import Final

from halo_engine.answers.reports.fields import NamedField
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import resolve, resolve_in_run
from halo_engine.domain.phrases import KINDS
from halo_engine.domain.rules_panel.labels import label_of_field

from ...formats import counted
from ...page import Page, PageAnswer, View, Visit
from ..progress.properties import properties_of

#: A longer list is of no help to who picks; the search of the input finds what is in it.
_MOST: Final = 500


def _fields(visit: Visit) -> PageAnswer:
    """Suggest the fields: the built-in ones, then those that the app sent, by name."""
    named: list[NamedField] = visit.call("fields.names")
    named.sort(key=lambda each: each.custom)
    return _options((each.field, _said(each)) for each in named[:_MOST])


def _values(visit: Visit) -> PageAnswer:
    """Suggest the values of a field that are seen most."""
    asked = _key(visit.query.get("field"))
    return _options(
        (_text(value.value), counted(value.contacts, "contact"))
        for each in visit.call("fields.list").fields
        if _key(each.field) == asked
        for value in each.values
    )


def _events(visit: Visit) -> PageAnswer:
    """Suggest the events that fired."""
    events = visit.call("events.list")
    return _options((each.event, counted(each.count, "time")) for each in events[:_MOST])


def _properties(visit: Visit) -> PageAnswer:
    """Suggest the properties of the latest events of a name."""
    return _options(
        (each.field, f"{label_of_field(resolve_in_run(each.field))}, {KINDS[each.type]}")
        for each in properties_of(visit, visit.query.get("event"))
    )


def _options(options: Iterable[tuple[str, str]]) -> View:
    return View("rules/options.html", {"options": tuple(options)})


def _key(field: str) -> str | None:
    """Return the one name of a field, however it is written; None if there is no such field."""
    try:
        return resolve(field).key
    except Refusal:
        return None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _said(each: NamedField) -> str:
    known = {type_.value: text for type_, text in KINDS.items()}
    return f"{label_of_field(resolve(each.field))}, {known.get(each.type, each.type)}"


PAGES: Final = (
    Page("GET", "/series/{series}/suggestions/fields", _fields),
    Page("GET", "/series/{series}/suggestions/values", _values),
    Page("GET", "/series/{series}/suggestions/events", _events),
    Page("GET", "/series/{series}/suggestions/properties", _properties),
)
