"""Two organisations side by side: no door shows or changes anything of the other (contract §1)."""

import json
from contextlib import suppress
from typing import Any, Final

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import insert, select, update

from halo_engine.contacts.csv_import.uploads.receiving import (
    StartCall,
    UploadOptions,
    add_chunk,
    begin_upload,
    complete_upload,
    start_import,
)
from halo_engine.domain.errors import Refusal
from halo_engine.doors.acts import Follow, Manage
from halo_engine.doors.door import AnyDoor, as_data
from halo_engine.doors.table import DOORS
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.operators.origin import Origin, Via
from halo_engine.pipeline.due import PostOffice
from halo_engine.tables import metadata, organizations, signals
from halo_engine.work import OrgRef, Work
from tests.contacts.sandbox import (
    NOW,
    add_contact,
    add_message,
    add_run,
    add_series,
    committed_organization,
)

#: Stands in all that the other organisation wrote.
MARK: Final = "confidential"
SECRET: Final = f"{MARK} and long enough for a signature"
DEFINITION: Final = {
    "entry_trigger": "user_created",
    "steps": [{"key": "hello", "email": {"subject": "Hello", "body": "Hello"}}],
}
_ORIGIN: Final = Origin("eve", Via.HTTP)


class Neighbours:
    """Two organisations: ``theirs`` is full, and everything in ``mine`` has other names."""

    def __init__(self, database: Database) -> None:
        self.engine = Engine(
            database,
            PostOffice(MemoryTransport(), Sender("Test", "test@halo.example")),
            clock=lambda: NOW,
        )
        self.theirs = committed_organization(database)
        self.mine = committed_organization(database)
        self.ids: dict[str, Any] = {}
        self.engine.perform(self.theirs, self._fill)
        made = self.run(self.theirs, DOORS["keys.create"], role="viewer", name=MARK)
        self.ids["key"] = made["id"]
        self.run(self.theirs, DOORS["lists.save"], list="their-list")
        self.run(self.theirs, DOORS["lists.subscribe"], contact="their-ann", list="their-list")
        self.run(self.theirs, DOORS["track"], user_id="their-ann", event=f"{MARK} event")

    def _fill(self, work: Work) -> None:
        email = f"{MARK}@a.example"
        ann = add_contact(work, "their-ann", email=email, custom_fields={"plan": MARK})
        series = add_series(work, "their-series", "hello", name=MARK, entry_trigger="event")
        add_run(work, ann, series)
        mail = add_message(work, ann, series, "hello", to_address=email)
        signal = insert(signals).values(
            org_id=work.org_id,
            kind="changed",
            automation_id=series,
            end_user_id=ann,
            changed=["email"],
            happened_at=NOW,
            created_at=NOW,
            parked_at=NOW,
            failed_at=NOW,
            error=MARK,
        )
        parked = work.connection.execute(signal.returning(signals.c.id)).scalar_one()
        work.connection.execute(
            update(organizations)
            .where(organizations.c.id == work.org_id)
            .values(company_footer=MARK, identity_secret=SECRET)
        )
        upload = begin_upload(work, UploadOptions(mapping={MARK: "external_id"}))
        add_chunk(work, upload, 0, f"{MARK}\nu1\n".encode())
        complete_upload(work, upload)
        start_import(work, StartCall(id=upload))
        waiting = begin_upload(work, UploadOptions())
        add_chunk(work, waiting, 0, f"id,{MARK}\nu1,{MARK}\n".encode())
        complete_upload(work, waiting, f"{MARK}.csv")
        self.ids |= {"contact": str(ann), "signal": parked, "mail": mail}
        self.ids |= {"upload": str(upload), "waiting": str(waiting)}

    def run(self, org: OrgRef, door: AnyDoor, **fields: Any) -> Any:
        """Use a door in an organisation, and return its answer as data."""
        return as_data(door.run(self.engine, org, door.read(fields), _ORIGIN))

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of theirs."""
        with self.engine.database.connect() as connection:
            return {
                table.name: sorted(
                    map(tuple, connection.execute(_of(table, self.theirs))), key=repr
                )
                for table in metadata.sorted_tables
                if "org_id" in table.c or table is organizations
            }

    def names(self, door: AnyDoor) -> dict[str, Any]:
        """Return a call of the door that names what is theirs wherever it can."""
        named = {
            "series": "their-series",
            "step": "hello",
            "contact": "their-ann",
            "user_id": "their-ann",
            "email": "new@b.example",
            "list": "their-list",
            "key": self.ids["key"],
            "ids": [self.ids["signal"], self.ids["mail"]],
            "message_id": None,
            "code": "active",
            "search": "their",
            "after": self.ids["contact"],
            "to": "eve@b.example",
            "because": "I say so",
            "event": "visited",
            "id": "their-company",
            "source": "crm",
            "role": "viewer",
            "contacts": [{"user_id": "mine", "traits": {}}],
            "users": [{"user_id": "mine"}],
            "subscriptions": [],
            "definition": DEFINITION,
            "text": "id\nmine\n",
            "mapping": {"id": "external_id"},
        }
        call = {name: named[name] for name in door.call.model_fields if named.get(name) is not None}
        if door.name == "series.apply":
            call = {"series": {"their-series": DEFINITION}}
        if door.name == "stripe.webhook":
            call = {"event": {"type": "customer.created", "data": {"object": {}}}}
        if door.name.startswith("imports."):
            waits = door.name in ("imports.look", "imports.try")
            call = {"id": self.ids["waiting" if waits else "upload"]}
        if door.name == "imports.list":
            call = {}
        if "contact" in call and "id" in call:
            # A contact is named in one way; one of the doors is walked by its id.
            del call["id"]
        if door.name == "contacts.timeline":
            call = {**call, "contact": None, "id": self.ids["contact"]}
        if "ids" in call:
            del call["series"]
        if door.name in _OTHER_CURSORS:
            call["after"] = _OTHER_CURSORS[door.name](self)
        return call


#: Cursors that are no contact's id.
_OTHER_CURSORS: Final[Any] = {
    "series.failures": lambda both: both.ids["mail"],
    "series.recipients": lambda both: both.ids["mail"],
    "series.retry_failed": lambda both: both.ids["mail"],
    "contacts.timeline": lambda both: f"2026-06-01T09:00:00.000000+00:00/{both.ids['mail']}/left",
    "audit.list": lambda both: both.ids["mail"] + 10**6,
    "keys.list": lambda both: both.ids["key"],
}


def _of(table: Any, org: OrgRef) -> Any:
    return select(table).where((table.c.id if table is organizations else table.c.org_id) == org.id)


@pytest.fixture(scope="module")
def neighbours(shared_database: Database) -> Neighbours:
    """Both organisations, for all doors."""
    return Neighbours(shared_database)


_WALKED: Final = [
    name
    for name, door in DOORS.items()
    if not isinstance(door.act, Follow)
    and not (isinstance(door.act, Manage) and not door.act.takes_org)
    # The last of all: it takes the organisation away.
    and name != "organizations.erase"
]


@pytest.mark.parametrize("name", [*_WALKED, "organizations.erase"])
def test_no_door_shows_or_changes_what_is_theirs(neighbours: Neighbours, name: str) -> None:
    """Called with the other organisation's names and ids, every door refuses or answers of its
    own.
    """
    door, before = DOORS[name], neighbours.rows()
    answer = None
    with suppress(Refusal):
        answer = neighbours.run(neighbours.mine, door, **neighbours.names(door))
    said = json.dumps(answer)
    assert MARK not in said
    assert neighbours.ids["contact"] not in said
    assert neighbours.rows() == before


def test_the_walk_reaches_what_is_theirs(neighbours: Neighbours) -> None:
    """In their own organisation the same calls succeed, so the walk proves something."""
    shown = set()
    for name in _WALKED:
        door = DOORS[name]
        if door.act.changes:
            continue
        call = {**neighbours.names(door)}
        call.pop("after", None)
        with suppress(Refusal):
            if MARK in json.dumps(neighbours.run(neighbours.theirs, door, **call)):
                shown.add(name)
    assert shown >= {
        "contacts.show",
        "contacts.list",
        "contacts.timeline",
        "imports.show",
        "imports.list",
        "imports.look",
        "series.list",
        "series.show",
        "series.recipients",
        "series.preview",
        "fields.list",
        "events.list",
        "signals.list",
        "keys.list",
        "audit.list",
        "organizations.show",
    }
