"""What there is, as tasks: fields, events and contacts that one can find (contract §3, §10)."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from halo_engine.answers.contact_list import PAGE, contact_list
from halo_engine.answers.events import known_events
from halo_engine.answers.fields import known_fields
from halo_engine.contacts.calls import Identifier
from halo_engine.domain.errors import validated
from halo_engine.series.lifecycle import find_series
from halo_engine.series.save import parse_definition
from halo_engine.work import OrgRef, Work
from workers.app import app
from workers.engine import engine
from workers.orders import OperatorTask
from workers.tasks.calls import OrganizationCall


@app.task(base=OperatorTask, name="halo.fields.list")
def list_fields(**fields: Any) -> Any:
    """Return every field that filters can name, with the values seen most, and every list."""
    asked = validated(OrganizationCall, fields, "halo.fields.list")
    return engine().ask(OrgRef(key=asked.org), known_fields).model_dump(mode="json")


@app.task(base=OperatorTask, name="halo.events.list")
def list_events(**fields: Any) -> list[Any]:
    """Return the events that fired: how often, for how many contacts, first and last."""
    asked = validated(OrganizationCall, fields, "halo.events.list")
    found = engine().ask(OrgRef(key=asked.org), known_events)
    return [each.model_dump(mode="json") for each in found]


class _ListCall(OrganizationCall):
    """Which contacts: whose ID or email begins with ``search``, whom ``series`` or ``definition``
    matches; ``size`` of them after the contact of that id.
    """

    search: str | None = None
    series: Identifier | None = None
    definition: dict[str, Any] | None = None
    # JSON has no UUIDs, only texts that are one.
    after: Annotated[UUID, Field(strict=False)] | None = None
    size: int = Field(default=PAGE, ge=1, le=1000)


@app.task(base=OperatorTask, name="halo.contacts.list")
def list_contacts(**fields: Any) -> Any:
    """Return a page of contacts, newest first (contract §10)."""
    asked = validated(_ListCall, fields, "halo.contacts.list")
    written = None
    if asked.definition is not None:
        written = parse_definition("definition", asked.definition)

    def listed(work: Work) -> Any:
        within = find_series(work, asked.series) if asked.series else written
        return contact_list(
            work, search=asked.search, within=within, after=asked.after, size=asked.size
        ).model_dump(mode="json")

    return engine().ask(OrgRef(key=asked.org), listed)
