"""The sandbox of a scenario: an organisation of its own on a real database, and a virtual clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import sqlalchemy
from sqlalchemy import Delete, Executable, Insert, insert

from halo_engine.answers.plans.plan import Plan
from halo_engine.contacts.parameters import ORG_ID
from halo_engine.domain.series.definition import Series
from halo_engine.domain.times.cron import parse_cron
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.advance import Advance
from halo_engine.pipeline.due import PostOffice
from halo_engine.rehearsal.scenario import Scenario
from halo_engine.series.lifecycle import find_series
from halo_engine.series.save import save_series
from halo_engine.sql.prepared import prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import metadata, organizations, subscriptions
from halo_engine.work import OrgRef, Work

#: The sender of a rehearsal's mail.
SENDER = Sender("Rehearsal", "rehearsal@halo.example")

_Result = TypeVar("_Result")


@dataclass
class Sandbox:
    """The organisation and the clock of a scenario; ``now`` is the virtual clock."""

    scenario: Scenario
    org_id: UUID
    now: datetime
    database: sqlalchemy.Engine
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    #: The definitions as last saved; a ``save`` is merged over them.
    definitions: dict[str, Any] = field(default_factory=dict)
    answer: Any = None
    #: The last plan.
    plan: Plan | None = None
    _looking: Work | None = None
    #: The series that were read in this look.
    _seen: dict[str, Series] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        """A new engine without caches, as if all workers had just started."""
        return Engine(self.database, PostOffice(self.transport, SENDER), clock=lambda: self.now)

    def perform(self, action: Callable[[Work], _Result]) -> _Result:
        """Run a door or a query in a transaction at the clock's instant."""
        return self.engine.perform(OrgRef(id=self.org_id), action)

    def observe(self, query: Callable[..., _Result], *arguments: Any) -> _Result:
        """Run a query of the database at the clock's instant."""
        if self._looking is not None:
            return query(self._looking, *arguments)
        return self.perform(lambda work: query(work, *arguments))

    def observe_series(self, query: Callable[..., _Result], key: str, *arguments: Any) -> _Result:
        """Run a query of a series; raises a 404 when there is none."""
        return self.observe(lambda work: query(work, self._found(work, key), *arguments))

    def _found(self, work: Work, key: str) -> Series:
        if self._looking is None:
            return find_series(work, key)
        if key not in self._seen:
            self._seen[key] = find_series(work, key)
        return self._seen[key]

    def look(self, compare: Callable[[], _Result]) -> _Result:
        """Run many observations in one transaction; nothing moves meanwhile, so that each series is
        read once.
        """

        def looked(work: Work) -> _Result:
            self._looking = work
            try:
                return compare()
            finally:
                self._looking = None
                self._seen.clear()

        return self.perform(looked)

    def settle(self) -> None:
        """Handle what waits at the clock's instant, as a live worker would."""
        for _ in self.engine.settle(self.org_id):
            pass

    def tick(self) -> bool:
        """Play a tick at the clock's instant; return whether it moved anybody."""
        moved = [isinstance(each, Advance) or each.moved for each in self.engine.tick(self.org_id)]
        return any(moved)


@contextmanager
def open_sandbox(
    scenario: Scenario, database: sqlalchemy.Engine, kind: type[Sandbox] = Sandbox
) -> Iterator[Sandbox]:
    """Create the scenario's organisation, lists and series; remove them afterwards."""
    org_id = _create_organization(scenario, database)
    try:
        sandbox = kind(
            scenario, org_id, scenario.start, database, definitions=dict(scenario.written)
        )
        sandbox.perform(lambda work: _save_drafts(work, scenario))
        yield sandbox
    finally:
        _remove_organization(org_id, database)


def _create_organization(scenario: Scenario, database: sqlalchemy.Engine) -> UUID:
    parse_cron(scenario.org.reevaluate_cron, "org.reevaluate_cron")
    key = f"rehearsal-{uuid4()}"
    with database.begin() as connection:
        org_id: UUID = connection.execute(_rehearsal_create_org(scenario, key)).scalar_one()
        return org_id


@statement("rehearsal_create_org")
def _rehearsal_create_org(scenario: Scenario, org_key: str) -> Executable:
    return (
        insert(organizations)
        .values(
            key=org_key,
            name=scenario.title,
            widget_key=org_key,
            created_at=scenario.start,
            reevaluated_at=scenario.start,
            **scenario.org.model_dump(),
        )
        .returning(organizations.c.id)
    )


def _save_drafts(work: Work, scenario: Scenario) -> None:
    if scenario.lists:
        work.connection.execute(_rehearsal_create_lists(work, scenario))
    for key, definition in scenario.series.items():
        save_series(work, key, definition)


@statement("rehearsal_create_lists")
def _rehearsal_create_lists(work: Work, scenario: Scenario) -> Insert:
    return insert(subscriptions).values(
        [{"org_id": work.org_id, "key": key, "created_at": work.now} for key in scenario.lists]
    )


def _remove_organization(org_id: UUID, database: sqlalchemy.Engine) -> None:
    with database.begin() as connection:
        _rehearsal_remove_org().rows(connection, {"org_id": org_id})


@prepared("rehearsal_remove_org")
def _rehearsal_remove_org() -> Delete:
    """Remove an organisation and all that is its own; what refers to what is checked at the end."""
    tables = [table for table in metadata.sorted_tables if "org_id" in table.c]
    rows = [
        table.delete().where(table.c.org_id == ORG_ID).cte(f"of_{table.name}") for table in tables
    ]
    return organizations.delete().where(organizations.c.id == ORG_ID).add_cte(*rows)
