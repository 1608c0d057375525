"""The sandbox for tests of answers: named contacts, series, and what happens to them.

Series are saved, activated and handled by the engine; contacts and their events are plain rows.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Table, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert

from halo_engine.answers.explain.explain import Explanation, explain
from halo_engine.answers.reports.ledger import Ledger, ledger
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.domain.series.decisions import Exit
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.series.signals import SignalKind
from halo_engine.journey.record_exits import record_exits
from halo_engine.opening import open_work
from halo_engine.pipeline.react import react
from halo_engine.series.lifecycle import activate, find_series, pause, resume
from halo_engine.series.save import parse_definition, save_series
from halo_engine.tables import (
    audience_fields,
    companies,
    end_users,
    event_counts,
    organizations,
    signals,
    subscription_members,
    subscriptions,
    suppressions,
)
from halo_engine.work import OrgRef, Work
from tests.contacts.sandbox import EARLIER, add_contact

HELLO = {"key": "hello", "email": {"subject": "Hello", "body": "Hello"}}
BYE = {"key": "bye", "delay": "3d", "email": {"subject": "Bye", "body": "Bye"}}

#: An audience by criteria: the contacts whose plan is ``pro``.
PRO = [[{"field": "plan", "operator": "is", "value": "pro"}]]
BY_PLAN: dict[str, Any] = {"audience_type": "segment", "audience_filters": PRO}


class Sandbox:
    """One organisation, at an instant that the test moves."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.ids: dict[str, UUID] = {}

    # Who and what there is.

    def add(self, *names: str, **columns: Any) -> None:
        """Write a user of each name with an address, created now; ``external_id=None`` makes a
        lead.
        """
        for name in names:
            row = {"email": f"{name}@a.example", "created_at": self.work.now, **columns}
            self.ids[name] = add_contact(self.work, row.pop("external_id", name), **row)

    def pro(self, *names: str, **columns: Any) -> None:
        """Write users whose plan is ``pro``."""
        self.add(*names, custom_fields={"plan": "pro"}, **columns)

    def change(self, name: str, **columns: Any) -> None:
        """Change a contact's row without a signal."""
        self.work.connection.execute(
            update(end_users)
            .where(end_users.c.org_id == self.work.org_id, end_users.c.id == self.ids[name])
            .values(**columns)
        )

    def company(self, key: str, **columns: Any) -> UUID:
        """Write a company."""
        return self._insert(
            companies, external_id=key, created_at=EARLIER, updated_at=EARLIER, **columns
        )

    def list(self, key: str, *subscribers: str) -> None:
        """Write a subscription list with its subscribers."""
        list_id = self._insert(subscriptions, key=key, created_at=EARLIER)
        for name in subscribers:
            self._write(
                subscription_members,
                end_user_id=self.ids[name],
                subscription_id=list_id,
                subscribed_at=EARLIER,
            )

    def suppress(self, name: str, cause: str = "bounced_at") -> None:
        """Suppress the contact's address now, for this cause."""
        row = {"org_id": self.work.org_id, "address": f"{name}@a.example", cause: self.work.now}
        self.work.connection.execute(upsert(suppressions).values(row).on_conflict_do_nothing())

    def register(self, *keys: str, entity: str = "contact") -> None:
        """Register custom fields, as the ways in do."""
        for key in keys:
            self._write(
                audience_fields, entity=entity, key=key, type="string", first_seen_at=EARLIER
            )

    def series(self, *, active: bool = True, key: str = "s", **definition: Any) -> None:
        """Save a series, with two emails unless steps are given, and activate it."""
        written = {"entry_trigger": "segment_match", "steps": [HELLO, BYE], **definition}
        save_series(self.work, key, parse_definition(key, written))
        if active:
            activate(self.work, key, "test")
            self.handle()

    # What happens.

    def wait(self, **duration: float) -> None:
        """Move the clock on."""
        self.work = replace(self.work, now=self.work.now + timedelta(**duration))

    def configure(self, **settings: Any) -> None:
        """Change the organisation's settings."""
        self.work.connection.execute(
            update(organizations).where(organizations.c.id == self.work.org_id).values(**settings)
        )
        self.work = open_work(self.work.connection, OrgRef(id=self.work.org_id), self.work.now)

    def created(self, *names: str) -> None:
        """Leave a signal that these contacts were created now, and handle it."""
        for name in names:
            self._signal(SignalKind.CREATED, end_user_id=self.ids[name])
        self.handle()

    def changed(self, name: str, *keys: str) -> None:
        """Leave a signal that these fields of the contact changed, and handle it."""
        self.left(name, *keys)
        self.handle()

    def left(self, name: str, *keys: str) -> None:
        """Leave a signal that these fields of the contact changed, and handle nothing."""
        self._signal(SignalKind.CHANGED, end_user_id=self.ids[name], changed=list(keys))

    def fires(self, name: str, event: str, *, live: bool = True) -> None:
        """Count an event for the contact; if ``live``, leave a signal and handle it."""
        counted = upsert(event_counts).values(
            org_id=self.work.org_id,
            end_user_id=self.ids[name],
            name=event,
            count=1,
            first_at=self.work.now,
            last_at=self.work.now,
        )
        self.work.connection.execute(
            counted.on_conflict_do_update(
                index_elements=list(event_counts.primary_key),
                set_={"count": event_counts.c.count + 1, "last_at": self.work.now},
            )
        )
        if live:
            self._signal(SignalKind.EVENT, end_user_id=self.ids[name], event_name=event)
            self.handle()

    def tracks(self, name: str, event: str, **properties: Any) -> None:
        """Track an event of the contact, and handle it."""
        track(self.work, TrackCall(event=event, user_id=name, properties=properties))
        self.handle()

    def reevaluate(self) -> None:
        """Handle a re-evaluation of all contacts."""
        self._signal(SignalKind.REEVALUATED)
        self.handle()

    def handle(self) -> None:
        """Handle all waiting signals."""
        while react(self.work, 500) is not None:
            pass

    def end(self, name: str, reason: ExitReason = ExitReason.MANUAL, number: int = 1) -> None:
        """End the contact's enrollment."""
        ended = Exit(self.saved(), self.ids[name], number, reason)
        record_exits(self.work, [ended])

    def pause(self) -> None:
        """Pause the series."""
        pause(self.work, "s", "test")

    def resume(self) -> None:
        """Resume the series."""
        resume(self.work, "s", "test")

    # What is answered.

    def saved(self, key: str = "s") -> Series:
        """Return the series as it is saved."""
        return find_series(self.work, key)

    def explain(self, name: str, key: str = "s") -> Explanation:
        """Return the explanation of one contact and one series."""
        (answer,) = explain(self.work, self.saved(key), [self.ids[name]])
        return answer

    def codes(self, key: str = "s", *, of: Sequence[str] | None = None) -> dict[str, str]:
        """Return each contact's code, all explained in one call."""
        names = list(self.ids) if of is None else list(of)
        answers = explain(self.work, self.saved(key), [self.ids[name] for name in names])
        return {name: answer.code for name, answer in zip(names, answers, strict=True)}

    def ledger(self, key: str = "s") -> Ledger:
        """Return the ledger of the series."""
        return ledger(self.work, self.saved(key))

    def _signal(self, kind: SignalKind, **values: Any) -> None:
        at = {"happened_at": self.work.now, "created_at": self.work.now}
        self._write(signals, kind=kind, **at, **values)

    def _insert(self, table: Table, **values: Any) -> UUID:
        made = insert(table).values(org_id=self.work.org_id, **values).returning(table.c.id)
        id_: UUID = self.work.connection.execute(made).scalar_one()
        return id_

    def _write(self, table: Table, **values: Any) -> None:
        self.work.connection.execute(insert(table).values(org_id=self.work.org_id, **values))
