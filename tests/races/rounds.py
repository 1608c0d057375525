"""The rounds of a race, what is done in them, and what came of it.

`HALO_TEST_ROUNDS` says how many there are of each race; `make torture` asks for more.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import text

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.events.track import TrackCall, track_all
from halo_engine.contacts.identifying.identify import IdentifyCall, identify, identifying
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.series.save import parse_definition, save_series
from halo_engine.work import OrgRef, Work
from tests.races.ground import Users, copy, lay_out, place
from tests.races.invariants import violations
from tests.races.track import Track

ROUNDS = int(os.environ.get("HALO_TEST_ROUNDS", "8"))

#: Steps: a mail, gates that are open and shut for whoever's ``plan`` is pro, and one tomorrow.
EMAIL: Final = {"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}
OPEN: Final = {"key": "open", "condition": {"type": "user_property", "value": "plan=pro"}}
SHUT: Final = {"key": "shut", "condition": {"type": "user_property", "value": "plan=none"}}
LATER: Final = {**OPEN, "key": "later", "delay": "1d"}
#: A series that contacts enter by the event ``in``; an audience.
ENTERED: Final = {"entry_trigger": "event", "settings": {"entry_event_name": "in"}}
PRO: Final = {"field": "plan", "operator": "is", "value": "pro"}

_SENDER: Final = Sender("Halo", "halo@halo.example")
_Result = TypeVar("_Result")


@dataclass
class Round:
    """One organisation on the database's own clock, and who does what in it.

    Everything happens as in production: each call is a transaction, and ``settle`` and ``tick`` are
    run as by a worker.
    """

    track: Track
    org_id: UUID
    transport: MemoryTransport
    clock: Callable[[], datetime] | None = None

    @cached_property
    def engine(self) -> Engine:
        """The worker's engine, which remembers the organisation from one call to the next."""
        return Engine(self.track.database, PostOffice(self.transport, _SENDER), self.clock)

    def perform(self, action: Callable[[Work], _Result]) -> _Result:
        """Go through a door."""
        return self.engine.perform(OrgRef(id=self.org_id), action)

    def settle(self) -> list[Any]:
        """Do what a worker does when the doorbell rings."""
        return list(self.engine.settle(self.org_id))

    def tick(self) -> list[Any]:
        """Do what a worker does when the minute is over."""
        return list(self.engine.tick(self.org_id))

    def tell(self, names: Iterable[str], event: str = "in", key: str = "") -> None:
        """Track an event of each user in one batch, and settle; once for the same ``key``."""
        calls = [
            TrackCall(event=event, user_id=name, idempotency_key=f"{event} of {name} {key}")
            for name in names
        ]
        self.perform(lambda work: track_all(work, calls))
        self.settle()

    def identify(self, user_id: str, **traits: Any) -> UUID:
        """Identify a user."""
        call = IdentifyCall(user_id=user_id, traits=traits)
        door = partial(identify, call=call)
        return self.engine.perform(
            OrgRef(id=self.org_id), door, in_one_trip=partial(identifying, call)
        ).id

    def move(self, user_id: str, company: str) -> None:
        """Move a user into a company."""
        call = IdentifyCompanyCall(id=company, user_id=user_id)
        self.perform(lambda work: identify_company(work, call))

    def save(self, key: str, definition: Mapping[str, Any]) -> None:
        """Save a series, as an operator does."""
        parsed = parse_definition(key, definition)
        self.perform(lambda work: save_series(work, key, parsed))

    def pass_time(self, duration: timedelta) -> None:
        """Let the business's clock stand this much later than now."""
        later = datetime.now(UTC) + duration
        self.clock = lambda: later
        vars(self).pop("engine", None)

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the test's own; ``:org`` is the organisation."""
        with self.track.database.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), {"org": self.org_id})]

    @property
    def messages(self) -> list[tuple[Any, ...]]:
        """The rows for which a mail was meant to be sent."""
        return self.read("SELECT recipient_id FROM messages WHERE org_id = :org ORDER BY 1")


def telling(names: Iterable[str], event: str = "in", key: str = "") -> Callable[[Round], None]:
    """Return the racer who tracks an event of each user, and settles."""
    return lambda each: each.tell(names, event, key)


class Race:
    """Many rounds of the same race: organisations that begin alike."""

    def __init__(
        self,
        track: Track,
        users: Users,
        series: Mapping[str, Mapping[str, Any]],
        *,
        lists: Sequence[str] = (),
        cron: str = "0 0 1 1 *",
    ) -> None:
        self._track = track
        self._mails = MemoryTransport()
        with track.database.begin() as connection:
            org_id = lay_out(connection, users, series, lists, cron)
        #: The organisation of the first round; what is done to it before is done to all.
        self.first = Round(track, org_id, self._mails)

    def place(self, series: str, step: str, *names: str, ended: bool = False) -> None:
        """Put users at a step, due now, entered in this order; or let their run have ended."""
        with self._track.database.begin() as connection:
            place(connection, self.first.org_id, series, step, names, ended=ended)

    def play(self, *racers: Callable[[Round], Any]) -> None:
        """Play every round: let the racers go, then settle the rest."""
        for _ in self.rounds(*racers):
            pass

    def rounds(self, *racers: Callable[[Round], Any]) -> Iterator[tuple[Round, Sequence[Any]]]:
        """Play every round; yield each with what its racers returned, for checks in between."""
        with self._track.database.begin() as connection:
            others = copy(connection, self.first.org_id, ROUNDS - 1)
        for org_id in (self.first.org_id, *others):
            each = Round(self._track, org_id, self._mails)
            results = self._track.race(*(partial(racer, each) for racer in racers))
            each.settle()
            yield each, results

    def judge(self, promises: Mapping[str, str]) -> None:
        """Check that the ``promises`` were kept, and those that must be whoever races.

        Each is a query for what breaks it: the organisation, and what. A round is over when the
        next begins, so all are judged at once as they came to rest.
        """
        with self._track.database.connect() as connection:
            connection.execute(text("ANALYZE"))
            found = violations(connection, promises)
        assert not found, "\n".join(found[:50])
        keys = [message["Message-ID"] for message in self._mails.sent]
        assert len(keys) == len(set(keys)), "a mail was sent twice"
