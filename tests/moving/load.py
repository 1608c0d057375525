"""Callers and workers who go on while an organisation moves to and fro, and keep what they did."""

import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID

from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.database import MovedAway, create_engine
from halo_engine.domain.errors import Refusal
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.moving.places import Place
from halo_engine.pipeline.due import PostOffice
from halo_engine.work import OrgRef, Work
from tests.moving.ground import url_of

_Result = TypeVar("_Result")

_ORG = OrgRef(key="acme")
#: How long a caller pauses, in seconds: the rows that move grow with the calls, and two hundred
#: moves are to end.
_PAUSE: Final = 0.05


@dataclass
class Load:
    """What runs beside the moves: calls from several threads, and a worker for each cell.

    ``users`` and ``events`` are the calls that were answered; ``waits`` is how long each took.
    """

    places: tuple[Place, Place]
    post: MemoryTransport = field(default_factory=MemoryTransport)
    users: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    troubles: list[BaseException] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Make an engine for each cell, on the clocks of the databases."""
        self.engines = {each.name: self._engine(each) for each in self.places}

    def _engine(self, place: Place) -> Engine:
        office = PostOffice(self.post, Sender("Halo", "halo@halo.example"))
        database = create_engine(url_of(place.database), pool_size=4)
        return Engine(database, office, interruptions=(MovedAway,))

    @contextmanager
    def running(self, callers: int = 2) -> Iterator[None]:
        """Run all of it meanwhile."""
        acts: list[Callable[[], None]] = [
            *(lambda number=number: self._call(number) for number in range(callers)),
            *(lambda name=name: self._work(name) for name in self.engines),
        ]
        threads = [threading.Thread(target=self._watched, args=(act,)) for act in acts]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            self.over.set()
            for each in threads:
                each.join()

    def close(self) -> None:
        """Close the connections."""
        for each in self.engines.values():
            each.database.dispose()

    def _watched(self, act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 -- the test shows it
            self.troubles.append(error)

    def _call(self, caller: int) -> None:
        """Identify users, and track an event of each."""
        cell, number = "a", 0
        while not self.over.wait(_PAUSE):
            number += 1
            user = f"user-{caller}-{number}"
            known = IdentifyCall(user_id=user, traits={"email": f"{user}@a.example"})
            cell = self._timed(cell, lambda work, known=known: identify(work, known))  # type: ignore[misc]
            self.users.append(user)
            event = TrackCall(user_id=user, event="seen", properties={"by": user})
            cell = self._timed(cell, lambda work, event=event: track(work, event))  # type: ignore[misc]
            self.events.append(user)

    def _timed(self, cell: str, act: Callable[[Work], Any]) -> str:
        """Do a call where the organisation lives; return in which cell that was."""
        began = time.perf_counter()
        while True:
            try:
                self.engines[cell].perform(_ORG, act)
            except MovedAway as moved:
                cell = moved.cell
            else:
                self.waits.append(time.perf_counter() - began)
                return cell

    def _work(self, cell: str) -> None:
        """Tick in a cell, as its beat and its workers do."""
        while not self.over.is_set():
            self.tick(cell)
            time.sleep(0.02)

    def tick(self, cell: str) -> None:
        """Tick once for the organisation, if it lives in the cell."""
        engine = self.engines[cell]
        try:
            org_id: UUID = engine.ask(_ORG, lambda work: work.org_id)
            for _ in engine.tick(org_id):
                pass
        except MovedAway:
            pass
        except Refusal as refusal:
            if refusal.code != "unknown_organisation":
                raise

    def mails(self) -> Counter[str]:
        """Return how many mails went to each user."""
        return Counter(each["To"].partition("@")[0] for each in self.post.sent)

    def said(self) -> str:
        """Return the figures of the calls, for people."""
        milliseconds = [each * 1000 for each in self.waits]
        cuts = statistics.quantiles(milliseconds, n=100)
        return (
            f"{len(self.waits)} calls, p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms,"
            f" longest {max(milliseconds):.0f} ms, {len(self.post.sent)} mails"
        )
