"""The ground of the benchmarks: an embedded, durable PostgreSQL, and organisations in it.

Each organisation has a database of its own, copied from one that was filled once, so that none is
affected by the size or the remains of another.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

import psycopg
import sqlalchemy
from sqlalchemy import make_url

from benchmarks import sql
from halo_engine import migrate
from halo_engine.database import create_engine
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.series.lifecycle import activate
from halo_engine.series.save import parse_definition, save_series
from halo_engine.work import OrgRef, Work
from workers.stack.folders import throwaway_folder
from workers.stack.servers import Servers, running_servers

ORG = "bench"

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Crowd:
    """An organisation with a number of contacts, alone in its database.

    ``bare`` is a connection for statements written by hand: floors and preparations. It has the
    engine's session settings, and commits each statement.
    """

    url: str
    contacts: int
    database: sqlalchemy.Engine
    bare: psycopg.Connection[Any]
    org_id: UUID

    @property
    def engine(self) -> Engine:
        """The engine as in a worker, on the database's clock; mail is discarded."""
        return Engine(
            self.database, PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example"))
        )

    def perform(self, action: Callable[[Work], _Result]) -> _Result:
        """Run ``action`` in a transaction of its own."""
        return self.engine.perform(OrgRef(id=self.org_id), action)

    def settle(self) -> None:
        """Handle everything that waits."""
        for _ in self.engine.settle(self.org_id):
            pass

    def tick(self) -> None:
        """Tick once: everything that is due."""
        for _ in self.engine.tick(self.org_id):
            pass

    def draft(self, key: str, **definition: Any) -> UUID:
        """Save a series and return its id."""
        return self.perform(
            lambda work: save_series(work, key, parse_definition(key, definition)).id
        )

    def activate(self, key: str) -> None:
        """Activate a series."""
        self.perform(lambda work: activate(work, key, "bench"))

    def run(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run a statement written by hand; ``org`` is bound. Returns its rows, if it has any."""
        cursor = self.bare.execute(statement.encode(), {"org": self.org_id, **values})
        return cursor.fetchall() if cursor.description else []

    def set_up(self, *statements: str, **values: Any) -> None:
        """Write rows that are correct by construction, without checking their foreign keys."""
        with self.bare.transaction():
            self.run("SET LOCAL session_replication_role = replica")
            for statement in statements:
                self.run(statement, **values)

    def clear(self) -> None:
        """Remove every run, recipient, signal and refusal."""
        self.run(sql.CLEAR)

    def rest(self, *tables: str) -> None:
        """Vacuum what was written, so that no side pays for the writes of another."""
        for table in tables:
            self.run(f"VACUUM (ANALYZE) {table}")
        self.run("CHECKPOINT")


class Ground:
    """The servers of one run of the benchmarks, and the organisations made so far."""

    def __init__(self, servers: Servers, stack: ExitStack) -> None:
        self.servers = servers
        self._stack = stack
        self._templates: set[str] = set()
        self._crowds: dict[tuple[int, str], Crowd] = {}

    def crowd(self, contacts: int, name: str = "plain") -> Crowd:
        """Return the organisation of that many contacts; another ``name`` is another copy."""
        found = self._crowds.get((contacts, name))
        if found is None:
            template = self._template(contacts)
            found = self._crowds[contacts, name] = self._opened(
                self._copied(f"{name}_{contacts}", template), contacts
            )
        return found

    def drop(self, crowd: Crowd) -> None:
        """Drop a copy that is no longer needed."""
        self._crowds = {key: each for key, each in self._crowds.items() if each is not crowd}
        crowd.bare.close()
        crowd.database.dispose()
        self._administrate(f'DROP DATABASE "{make_url(crowd.url).database}" WITH (FORCE)')

    def _template(self, contacts: int) -> str:
        name = f"template_{contacts}"
        if name not in self._templates:
            url = self._copied(name, "template0")
            migrate.upgrade(url)
            crowd = self._opened(url, contacts, new=True)
            crowd.set_up(*sql.FILL, contacts=contacts, companies=contacts // sql.SEATS)
            crowd.rest("companies", "end_users")
            crowd.bare.close()
            crowd.database.dispose()
            self._templates.add(name)
        return name

    def _copied(self, name: str, template: str) -> str:
        self._administrate(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" ENCODING UTF8 STRATEGY file_copy'
        )
        url = make_url(self.servers.database_url).set(database=name)
        return url.render_as_string(hide_password=False)

    def _opened(self, url: str, contacts: int, *, new: bool = False) -> Crowd:
        database = create_engine(url, application_name="halo-bench")
        bare = connected(url)
        self._stack.callback(bare.close)
        self._stack.callback(database.dispose)
        if new:
            bare.execute(sql.ORGANIZATION, {"key": ORG})
        row = bare.execute("SELECT id FROM organizations").fetchone()
        assert row is not None
        return Crowd(url, contacts, database, bare, row[0])

    def _administrate(self, statement: str) -> None:
        with connected(self.servers.database_url) as connection:
            connection.execute(statement.encode())


def connected(url: str) -> psycopg.Connection[Any]:
    """Return a bare connection with the engine's session settings, in autocommit mode."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True, options="-c timezone=UTC -c jit=off")


@contextmanager
def ground() -> Iterator[Ground]:
    """Run the embedded servers, durable, in a folder of their own that is removed at the end."""
    with (
        throwaway_folder("bench") as folder,
        running_servers(folder) as servers,
        ExitStack() as stack,
    ):
        yield Ground(servers, stack)


#: A surge in which nobody is held.
SURGE: Final = {"at_most": 10_000_000, "within": "1h"}


def segment(*filters: tuple[str, str, object]) -> Mapping[str, Any]:
    """Return the definition of a ``segment_match`` series whose first email is a day away."""
    return {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [
            [
                {"field": field, "operator": operator, "value": value}
                for field, operator, value in filters
            ]
        ],
        "steps": [{"key": "hi", "delay": "1d", "email": {"subject": "Hi", "body": "Hi"}}],
    }
