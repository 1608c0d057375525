"""Find the cell of an organisation: by what this process knows, else the directory, else all cells.

The directory decides where an organisation lives. The cells know whose a secret is, and what the
directory has not heard yet: a widget key that was made a moment ago.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

import sqlalchemy

from halo_engine.cells.asking import NOTHING_SAID, NoAnswer, first_yes
from halo_engine.cells.directory import Home
from halo_engine.cells.known import DIRECTORY, KnownDirectory
from halo_engine.cells.owners import Question, of_name
from halo_engine.database import create_engine
from halo_engine.operators.keys import hash_of
from halo_engine.work import OrgRef

#: The most secrets of which a process remembers whose they are.
_MOST_REMEMBERED: Final = 100_000
_REST_SECONDS: Final = 5.0


@dataclass
class Finder:
    """Finds cells for this process, which knows the ``directory``. Threads may share it."""

    directory: KnownDirectory
    _databases: dict[str, tuple[str, sqlalchemy.Engine]] = field(default_factory=dict)
    #: Until when a cell that hung is not asked (``time.monotonic``).
    _rests: dict[str, float] = field(default_factory=dict)
    _owners: dict[bytes, UUID] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_closed: bool = False

    def known(self, org: OrgRef) -> str | None:
        """Return the name of an organisation's cell, as far as this process knows it."""
        home = self.directory.home(org)
        return home.cell if home else None

    def look_up(self, org: OrgRef) -> str | None:
        """Ask for an organisation's cell; None if there is no such organisation.

        Raises NoAnswer where that cannot be said, because a server is away.
        """
        silent: NoAnswer | None = None
        try:
            home = self._ask_directory(org)
            if home is not None:
                return home.cell
        except NoAnswer as error:
            silent = error
        found = self._ask_cells(of_name(org))
        if found is None:
            if silent is not None:
                raise silent
            return None
        cell, org_id = found
        if silent is None and (home := self._ask_directory(OrgRef(id=org_id))) is not None:
            # Its rows may be in two cells, while it moves.
            cell = home.cell
        return cell

    def owner(self, secret: str, question: Question) -> tuple[str, OrgRef] | None:
        """Return whose a ``secret`` is, and in which cell; None if it is nobody's.

        All cells are asked the ``question`` at once; the answer is remembered. Raises NoAnswer if
        no cell says yes, and some do not answer.
        """
        known = self.known_owner(secret)
        found = None if known else self._ask_cells(question)
        if known is not None:
            return known
        if found is None:
            return None
        cell, org_id = found
        with self._lock:
            if len(self._owners) >= _MOST_REMEMBERED:
                self._owners.clear()
            self._owners[hash_of(secret)] = org_id
        org = OrgRef(id=org_id)
        return self.known(org) or cell, org

    def known_owner(self, secret: str) -> tuple[str, OrgRef] | None:
        """Return the same as far as it is remembered."""
        org_id = self._owners.get(hash_of(secret))
        cell = None if org_id is None else self.known(OrgRef(id=org_id))
        return None if cell is None else (cell, OrgRef(id=org_id))

    def forget(self, secret: str) -> None:
        """Forget whose a secret is."""
        self._owners.pop(hash_of(secret), None)

    def ask_all(self, question: Question) -> tuple[str, OrgRef] | None:
        """Ask all cells whose something is, and remember nothing; as ``owner`` else."""
        found = self._ask_cells(question)
        if found is None:
            return None
        cell, org = found[0], OrgRef(id=found[1])
        return self.known(org) or cell, org

    def _ask_directory(self, org: OrgRef) -> Home | None:
        found = first_yes({DIRECTORY: lambda: self.directory.look_up(org)})
        return found[1] if found else None

    def _ask_cells(self, question: Question) -> tuple[str, UUID] | None:
        def ask(cell: str) -> UUID | None:
            with self._database(cell).connect() as connection:
                found = question(connection)
                if self._is_closed:
                    # Nobody waited for this answer: its connection goes back to no pool.
                    connection.detach()
                return found

        names = set(self.directory.all_cells())
        hung = names & self._resting()
        try:
            found = first_yes({name: partial(ask, name) for name in sorted(names - hung)})
        except NoAnswer as error:
            self._rest(error.hung)
            raise NoAnswer({**dict.fromkeys(hung, NOTHING_SAID), **error.silent}) from None
        self._wake(names - hung if found is None else {found[0]})
        if found is None and hung:
            raise NoAnswer(dict.fromkeys(hung, NOTHING_SAID))
        return found

    def _resting(self) -> set[str]:
        """Return the cells that hung when they were asked last, and are not asked for a while: each
        question would wait for them, and hold up others. Of the rest one question tries each.
        """
        now = time.monotonic()
        with self._lock:
            resting = {name for name, ends in self._rests.items() if ends > now}
            for name in self._rests.keys() - resting:
                self._rests[name] = now + _REST_SECONDS
        return resting

    def _rest(self, cells: Iterable[str]) -> None:
        with self._lock:
            self._rests.update(dict.fromkeys(cells, time.monotonic() + _REST_SECONDS))

    def _wake(self, cells: Iterable[str]) -> None:
        with self._lock:
            for name in cells:
                self._rests.pop(name, None)

    def _database(self, cell: str) -> sqlalchemy.Engine:
        """Return connections of our own: what calls do must not wait for these questions."""
        url = self.directory.cells[cell].url
        with self._lock:
            known, database = self._databases.get(cell, (None, None))
            if database is None or known != url:
                if database is not None:
                    database.dispose()
                database = create_engine(url, application_name="halo-cells")
                self._databases[cell] = (url, database)
            return database

    def close(self) -> None:
        """Close the connections."""
        self._is_closed = True
        for _, database in self._databases.values():
            database.dispose()
        self.directory.close()
