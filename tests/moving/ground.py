"""An organisation that has worked for a while, and what is in each of two databases."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.moving.ledger import MOVED, move_of
from halo_engine.moving.move import cancel, move
from halo_engine.moving.places import Place
from halo_engine.moving.progress import Step
from halo_engine.moving.rows import sum_of_table
from halo_engine.tables import OWNED, organizations
from halo_engine.work import OrgRef
from tests.pipeline.sandbox import EMAIL, Sandbox, new_sandbox

_STEPS = [EMAIL, {"key": "later", "delay": "1d", "email": {"subject": "Later", "body": "Later"}}]


@dataclass
class Pair:
    """Cells ``a`` and ``b``; ``acme`` works in the first."""

    a: Place
    b: Place
    told: list[str] = field(default_factory=list)
    noted: list[UUID] = field(default_factory=list)
    acme: Sandbox = field(init=False)
    id: UUID = field(init=False)

    def __post_init__(self) -> None:
        """Let ``acme`` and another organisation work."""
        self.acme = worked(self.a.database, "acme")
        self.id = self.acme.org_id
        worked(self.a.database, "other")

    def move(self, **options: Any) -> None:
        """Move ``acme`` from ``a`` to ``b``."""
        given = {"tell": self._tell, "note_cell": self.noted.append, **options}
        move(self.a, self.b, "acme", **given)

    def _tell(self, step: Step) -> None:
        self.told.append(str(step))

    def move_back(self) -> None:
        """Move it from ``b`` to ``a``."""
        move(self.b, self.a, "acme", tell=lambda _: None)

    def cancel(self) -> None:
        """Take the move to ``b`` back."""
        cancel(self.a, self.b, "acme", tell=lambda _: None)

    def there(self) -> Sandbox:
        """The organisation in ``b``, at the same instant, with the same mail."""
        return Sandbox(self.b.database, OrgRef(key="acme"), self.acme.now, self.acme.transport)


def worked(database: Engine, name: str) -> Sandbox:
    """Make an organisation whose contacts came, got mail, and left something waiting."""
    sandbox = new_sandbox(database, name)
    sandbox.series("welcome", steps=_STEPS)
    for number in range(5):
        user = f"user-{number}"
        call = IdentifyCall(
            user_id=user, traits={"email": f"{user}@a.example", "plan": "pro", "size": number}
        )
        sandbox.perform(lambda work, call=call: identify(work, call))  # type: ignore[misc]
    sandbox.settle()
    sandbox.tick(timedelta(minutes=1))
    event = TrackCall(user_id="user-1", event="paid", properties={"amount": 9.5})
    sandbox.perform(lambda work: track(work, event))
    return sandbox


def contents(database: Engine, org_id: UUID) -> dict[str, tuple[int, int]]:
    """Return a count and a sum of hashes of each table with rows of the organisation."""
    with database.connect() as connection:
        sums = {table.name: sum_of_table(connection, org_id, table) for table in OWNED}
        own = connection.execute(
            text(
                "SELECT count(*), coalesce(sum(hashtext(CAST(organizations AS text))), 0)"
                " FROM organizations WHERE id = :id"
            ),
            {"id": org_id},
        ).one()
    found = {**sums, organizations.name: (own[0], int(own[1]))}
    return {name: each for name, each in found.items() if each[0]}


def triggers(database: Engine) -> int:
    """Return how many triggers of moves there are."""
    with database.connect() as connection:
        found = text("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'moving%'")
        return int(connection.execute(found).scalar_one())


def has_moved(place: Place, org_id: UUID) -> bool:
    """Return whether the organisation has left for good."""
    with place.transaction() as connection:
        move = move_of(connection, org_id)
    return move is not None and move.state == MOVED


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fail after a minute."""
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


def last_number(database: Engine) -> int:
    """Return the last arrival number that was given out."""
    with database.connect() as connection:
        return int(connection.execute(text("SELECT last_value FROM arrivals")).scalar_one())


def lives(database: Engine, org_id: UUID) -> bool:
    """Return whether the organisation can be found there."""
    with database.connect() as connection:
        found = text("SELECT count(*) FROM organizations WHERE id = :id")
        return bool(connection.execute(found, {"id": org_id}).scalar_one())


def url_of(database: Engine) -> str:
    """Return the URL of a database, for a process of its own."""
    return database.url.render_as_string(hide_password=False)
