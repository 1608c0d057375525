"""What a process knows of the directory: all of it, in memory.

A thread reads each second what has changed. While the directory is away, what was read last counts.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from halo_engine.cells.asking import NoAnswer
from halo_engine.cells.directory import Cell, Home, all_cells, find_home, homes_since
from halo_engine.database import create_engine, problem_of
from halo_engine.work import OrgRef

#: In seconds: how often the directory is read, and how long a read may take.
_EVERY: Final = 1.0
_PATIENCE: Final = 2.0
_SILENT: Final = "it is silent"
#: What the directory is called among the servers that do not answer.
DIRECTORY: Final = "directory"

_log = structlog.get_logger(__name__)


@dataclass
class KnownDirectory:
    """The directory as this process knows it. Threads may share it.

    ``database`` is the directory's.
    """

    database: sqlalchemy.Engine
    cells: Mapping[str, Cell] = field(default_factory=dict)
    _problem: str | None = None
    _homes: dict[OrgRef, Home] = field(default_factory=dict)
    _change: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _reading: threading.Lock = field(default_factory=threading.Lock)
    _read_at: float = 0.0
    _ends: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def at(cls, url: str) -> "KnownDirectory":
        """Return the directory at this URL, of which nothing is known yet."""
        return cls(
            create_engine(
                url,
                application_name="halo-directory",
                statement_timeout_seconds=_PATIENCE,
                pool_size=2,
            )
        )

    def read(self) -> None:
        """Read what has changed since the last time; raises the database's errors."""
        with self._reading:
            with self.database.connect() as connection:
                cells = {each.name: each for each in all_cells(connection)}
                homes = homes_since(connection, self._change)
            self.cells = cells
            self._keep(homes)
            self._change = max([self._change, *(each.change for each in homes)])
            self._read_at = time.monotonic()
            self._problem = None

    def close(self) -> None:
        """Close the connections."""
        self._ends.set()
        self.database.dispose()

    @property
    def trouble(self) -> str | None:
        """Why the directory cannot be read now; None if it can."""
        waits = time.monotonic() - self._read_at
        return self._problem or (_SILENT if waits > _EVERY + _PATIENCE else None)

    def all_cells(self) -> Mapping[str, Cell]:
        """Return the cells by name; raises NoAnswer until the directory was read once: there may be
        any.
        """
        if not self.cells and not self._read_at:
            raise NoAnswer({DIRECTORY: self.trouble or _SILENT})
        return self.cells

    def read_on(self) -> Callable[[], None]:
        """Read it, and what changes from now on, in a thread; return what ends that.

        It returns when the directory was read once, or does not answer.
        """
        was_read = threading.Event()
        reading = threading.Thread(
            target=self._read_on, args=(was_read,), name="halo-directory", daemon=True
        )
        reading.start()
        was_read.wait(_PATIENCE)
        return self._ends.set

    def _read_on(self, was_read: threading.Event) -> None:
        while True:
            try:
                self.read()
            except (DBAPIError, PoolTimeout) as error:
                if self._problem is None:
                    _log.warning("directory away", problem=error)
                self._problem = _said(error)
            was_read.set()
            if self._ends.wait(_EVERY):
                return

    def home(self, org: OrgRef) -> Home | None:
        """Return where an organisation lives, as far as it is known."""
        return self._homes.get(org)

    def homes(self) -> list[Home]:
        """Return all organisations that are known, by key."""
        with self._lock:
            found = {home.key: home for home in self._homes.values()}
        return [found[key] for key in sorted(found)]

    def look_up(self, org: OrgRef) -> Home | None:
        """Ask the directory now where an organisation lives; None where it does not know it.

        Raises the database's errors.
        """
        with self.database.connect() as connection:
            found = find_home(connection, org)
        if found is None:
            self._drop(self._homes.get(org))
        else:
            self._keep([found])
        return found

    def note_moved(self, org: OrgRef, cell: str) -> None:
        """Note that an organisation lives in that cell now, before the directory says so."""
        with self._lock:
            home = self._homes.get(org)
            if home is not None:
                now = home._replace(cell=cell)
                self._homes.update(dict.fromkeys(names_of(now), now))

    def _keep(self, homes: Iterable[Home]) -> None:
        with self._lock:
            for home in homes:
                before = self._homes.get(OrgRef(key=home.key))
                if before is not None and before.change >= home.change:
                    # What was asked for lately, or a move, is newer than what was read.
                    continue
                self._forget(before)
                for name in names_of(home):
                    self._homes[name] = home

    def _drop(self, home: Home | None) -> None:
        with self._lock:
            self._forget(home)

    def _forget(self, home: Home | None) -> None:
        for name in names_of(home) if home else ():
            self._homes.pop(name, None)


def cells_at(url: str) -> Mapping[str, Cell]:
    """Return the cells of the directory at a URL, by name; raises the database's errors."""
    known = KnownDirectory.at(url)
    try:
        known.read()
        return known.cells
    finally:
        known.close()


def names_of(home: Home) -> list[OrgRef]:
    """Return everything that calls an organisation by."""
    names = [OrgRef(key=home.key)]
    if home.id is not None:
        names.append(OrgRef(id=home.id))
    keys = (home.widget_key, home.old_widget_key)
    return [*names, *(OrgRef(widget_key=each) for each in keys if each is not None)]


def _said(error: Exception) -> str:
    return problem_of(error) if isinstance(error, DBAPIError) else type(error).__name__
