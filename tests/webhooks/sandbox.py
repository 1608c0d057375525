"""An organisation with endpoints, on a clock that the test moves."""

from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Any
from uuid import UUID

from sqlalchemy import update

from halo_engine.domain.errors import validated
from halo_engine.domain.series.signals import SignalKind
from halo_engine.engine import Engine
from halo_engine.journey.removal import remove
from halo_engine.mail.composing.sender import Sender
from halo_engine.pipeline.due import PostOffice
from halo_engine.series.lifecycle import find_series
from halo_engine.tables import end_users
from halo_engine.webhooks.claiming import due_endpoints
from halo_engine.webhooks.delivering import DeliveryTurn
from halo_engine.webhooks.endpoint_calls import (
    ChangeEndpointCall,
    CreatedEndpoint,
    CreateEndpointCall,
    EndpointAnswer,
)
from halo_engine.webhooks.endpoints import change_endpoint, create_endpoint, find_endpoint
from halo_engine.webhooks.posting import CallRules
from halo_engine.webhooks.replaying import ReplayCall, Replayed, replay
from tests.pipeline.sandbox import Sandbox

#: Tests run their receivers on this machine. A receiver shares the test's process, and answers
#: however long that stands still.
RULES = CallRules(allow_private=True, patience=60)


@dataclass
class Hooks(Sandbox):
    """The sandbox of the flows, with what the tests of webhooks do."""

    rules: CallRules = RULES

    @property
    def engine(self) -> Engine:
        """The engine at the sandbox's instant."""
        post = PostOffice(self.transport, Sender("Halo", "halo@halo.example"))
        return Engine(self.database, post, clock=lambda: self.now, call_rules=self.rules)

    def endpoint(self, url: str, **given: Any) -> CreatedEndpoint:
        """Create an endpoint."""
        call = validated(CreateEndpointCall, {"url": url, **given}, "webhooks.create")
        return self.perform(lambda work: create_endpoint(work, call, self.rules))

    def change(self, endpoint: UUID, **given: Any) -> EndpointAnswer:
        """Change an endpoint."""
        fields = {"endpoint": str(endpoint), **given}
        call = validated(ChangeEndpointCall, fields, "webhooks.change")
        return self.perform(lambda work: change_endpoint(work, call, self.rules))

    def found(self, endpoint: UUID) -> EndpointAnswer:
        """Return how an endpoint stands."""
        return self.perform(lambda work: find_endpoint(work, endpoint))

    def replay(self, endpoint: UUID, since: str) -> Replayed:
        """Send again what happened since then."""
        call = ReplayCall(endpoint=endpoint, since=since)
        return self.perform(lambda work: replay(work, call))

    def deliver(self, after: timedelta = timedelta(0)) -> dict[str, int]:
        """Move the clock, and deliver what is due; what other tests left due stays theirs."""
        self.now += after
        with self.database.connect() as connection:
            due = due_endpoints(connection, self.now)
        own_id = self.org_id
        turn = DeliveryTurn(lambda _: self.perform, self.rules, ends=inf)
        return dict(turn.run([each for each in due if each.org_id == own_id]))

    def change_contact(self, contact: UUID, **values: Any) -> None:
        """Write to a contact's row, tell that it changed, and settle."""
        is_it = (end_users.c.org_id == self.org_id, end_users.c.id == contact)
        changing = update(end_users).where(*is_it).values(**values)
        self.perform(lambda work: work.connection.execute(changing))
        self.signal([contact], SignalKind.CHANGED)
        self.settle()

    def remove(self, contact: UUID, series: str) -> None:
        """End the contact's run by hand."""
        self.perform(lambda work: remove(work, contact, find_series(work, series)))

    def enter(self, *names: str, **values: Any) -> list[UUID]:
        """Write contacts, tell that they were created, and settle."""
        contacts = self.contacts(names, **values)
        self.signal(contacts, SignalKind.CREATED)
        self.settle()
        return contacts
