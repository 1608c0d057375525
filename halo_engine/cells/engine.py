"""An engine for all cells: each call is done in the cell of its organisation.

A call that meets an organisation which has moved is done again where it lives now; so is one whose
organisation is not where this process believed it to be.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar, cast
from uuid import UUID

import sqlalchemy

from halo_engine.cells.asking import NoAnswer
from halo_engine.cells.directory import Cell
from halo_engine.cells.finding import Finder
from halo_engine.cells.moved import is_unknown
from halo_engine.cells.owners import of_mail
from halo_engine.database import MovedAway
from halo_engine.domain.errors import Refusal
from halo_engine.engine import Engine, InOneTrip
from halo_engine.mail.incoming.receive import Received
from halo_engine.mail.reading.incoming_mail import read_mail
from halo_engine.mail.sending.retrying.retries import RetriedMail, RetryCall
from halo_engine.sets import Outcome, SetCall
from halo_engine.settings import ConfigurationError
from halo_engine.work import OrgRef, Transactions, Work

_Result = TypeVar("_Result")

#: In so many cells a call is tried, before it is given up: each move is a minute's work.
_MOST_TRIES: Final = 6
_ON_ITS_WAY: Final = "the organisation is on its way there"


class CellGone(Exception):  # noqa: N818 -- somebody removed it meanwhile
    """The directory knows no cell of that name any more."""


@dataclass
class Cells:
    """The engine of each cell; ``make`` makes one when it is needed first, or the cell's URL is
    another one.
    """

    finder: Finder
    make: Callable[[Cell], Engine]
    _engines: dict[str, tuple[str, Engine]] = field(default_factory=dict)

    def names(self) -> Sequence[str]:
        """Return the names of all cells."""
        return sorted(self.finder.directory.cells)

    def engine(self, cell: str) -> Engine:
        """Return the engine of the cell of that name."""
        known = self.finder.directory.cells.get(cell)
        url, engine = self._engines.get(cell, (None, None))
        if engine is not None and (known is None or known.url == url):
            return engine
        if known is None:
            self.finder.directory.read()
            known = self.finder.directory.cells.get(cell)
        if known is None:
            raise CellGone(cell)
        made = self.make(known)
        self._engines[cell] = (known.url, made)
        if engine is not None:
            engine.database.dispose()
        return made

    def close(self) -> None:
        """Close all connections."""
        for _, each in self._engines.values():
            each.database.dispose()
        self.finder.close()


def each_rings(_org_id: UUID) -> None:
    """Ring nobody: the engine of each cell rings itself."""


class _NoDatabase:
    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        problem = "this works on one database alone; unset it, and name the cell's"
        raise ConfigurationError(f"HALO_DIRECTORY_URL: {problem} by HALO_DATABASE_URL")


def no_database() -> sqlalchemy.Engine:
    """Return what stands in place of a database where a caller has to name an organisation or a
    cell: whatever is asked of it raises ConfigurationError.
    """
    return cast(sqlalchemy.Engine, _NoDatabase())


def of_all(cells: Cells) -> "CellEngine":
    """Return the engine of an installation with cells."""
    [first, *_] = cells.names() or [""]
    post = cells.engine(first).post
    return CellEngine(no_database(), post, ring=each_rings, cells=cells)


@dataclass(frozen=True)
class CellEngine(Engine):
    """Doors and flows on the databases of all ``cells``.

    ``home`` is the cell whose database it has itself, if any: that of an organisation which no
    server could be asked for.
    """

    cells: Cells = field(kw_only=True)
    home: str | None = field(default=None, kw_only=True)

    def perform(
        self,
        org: OrgRef,
        action: Callable[[Work], _Result],
        in_one_trip: InOneTrip[_Result] | None = None,
    ) -> _Result:
        """Run a door in the cell of its organisation."""
        return self._there(org, lambda engine: engine.perform(org, action, in_one_trip))

    def perform_set(self, org: OrgRef, calls: Sequence[SetCall]) -> list[Outcome]:
        """Do calls that wait together in the cell of their organisation."""
        outcomes: list[Outcome] = [None] * len(calls)
        left = list(range(len(calls)))

        def act(engine: Engine) -> None:
            done = engine.perform_set(org, [calls[ordinal] for ordinal in left])
            if all(map(is_unknown, done)):
                raise _error(done[0])
            outcomes_of = dict(zip(left, done, strict=True))
            outcomes[:] = [outcomes_of.get(number, each) for number, each in enumerate(outcomes)]
            left[:] = [number for number in left if isinstance(outcomes[number], MovedAway)]
            if left:
                raise _error(outcomes[left[0]])

        try:
            self._there(org, act)
        except (Refusal, NoAnswer) as error:
            return [error if number in left else each for number, each in enumerate(outcomes)]
        return outcomes

    def perform_together(
        self, sets: Sequence[tuple[OrgRef, Sequence[SetCall]]]
    ) -> list[list[Outcome]]:
        """Do sets of several organisations, those of each cell in one round trip; what moved is
        left undone.
        """
        outcomes: list[list[Outcome]] = [[None] * len(calls) for _, calls in sets]
        by_cell: dict[str, list[int]] = {}
        for number, (org, _) in enumerate(sets):
            if (cell := self._known(org)) is not None:
                by_cell.setdefault(cell, []).append(number)
        for cell, numbers in by_cell.items():
            done = self._mine(cell).perform_together([sets[number] for number in numbers])
            for number, some in zip(numbers, done, strict=True):
                outcomes[number] = [None if isinstance(each, MovedAway) else each for each in some]
        return outcomes

    def id_of(self, org: OrgRef) -> UUID | None:
        """Return the id of an organisation, if it was there at an earlier call."""
        cell = self._known(org)
        return org.id if cell is None else self._mine(cell).id_of(org)

    def ring_for(self, org: OrgRef) -> None:
        """Ring for an organisation that is known from an earlier call."""
        if (cell := self._known(org)) is not None:
            self._mine(cell).ring_for(org)

    def ring_for_all(self) -> int:
        """Ring for every organisation with work, in all cells; return how many there are."""
        return sum(each.ring_for_all() for each in self.parts().values())

    def receive(self, raw: bytes) -> Received:
        """Take in a raw mail, in the cell of the organisation whose mail it names."""
        found = self.cells.finder.ask_all(of_mail(raw, self.post.sender.domain))
        if found is None:
            mail = read_mail(raw)
            return Received(kind=mail.kind, reason=mail.reason)
        return self._there(found[1], lambda engine: engine.receive(raw))

    def retry_failed(self, org: OrgRef, call: RetryCall) -> Iterator[RetriedMail]:
        """Send failed emails of a series again, in the cell of the organisation."""
        try:
            yield from super().retry_failed(org, call)
        except MovedAway as moved:
            self._note(org, moved)
            yield from super().retry_failed(org, call)

    def parts(self) -> Mapping[str, Engine]:
        """Return the engine of each cell, by name."""
        return {name: self._mine(name) for name in self.cells.names()}

    def at_home(self, org: OrgRef) -> Engine:
        """Return the engine of an organisation's cell; raises a 404 for an unknown one."""
        return self._there(org, lambda engine: _known_there(engine, org))

    def _transact(self, org_id: UUID) -> Transactions:
        cell = self._known(OrgRef(id=org_id)) or self.home
        assert cell is not None
        return self._mine(cell)._transact(org_id)  # noqa: SLF001 -- an engine's, too

    def _there(self, org: OrgRef, act: Callable[[Engine], _Result]) -> _Result:
        """Do it in the organisation's cell, wherever that is by now.

        Raises NoAnswer where it cannot be found, because a server is away, or each of two cells
        says that it lives in the other: it is on its way.
        """
        cell = self._known(org)
        is_sure = cell is None
        if cell is None:
            cell = self._looked_up(org)
        for _ in range(_MOST_TRIES):
            try:
                return act(self._mine(cell))
            except MovedAway as moved:
                cell, is_sure = self._note(org, moved), True
            except Refusal as refusal:
                # The organisation may have moved before its old cell forgot it.
                if is_sure or not is_unknown(refusal) or (now := self._looked_up(org)) == cell:
                    raise
                cell, is_sure = now, True
        raise NoAnswer({cell: _ON_ITS_WAY})

    def _known(self, org: OrgRef) -> str | None:
        return self.cells.finder.known(org)

    def _looked_up(self, org: OrgRef) -> str:
        """Return the cell that knows the organisation, or is to say that there is none."""
        try:
            found = self.cells.finder.look_up(org)
        except NoAnswer:
            if self._known(org) is None:
                raise
            found = self._known(org)
        return found or self._known(org) or self.home or self.cells.names()[0]

    def _note(self, org: OrgRef, moved: MovedAway) -> str:
        self.cells.finder.directory.note_moved(org, moved.cell)
        return moved.cell

    def _mine(self, cell: str) -> Engine:
        """Return a cell's engine that runs what this one has around its calls."""
        engine = self.cells.engine(cell)
        is_silent = self.ring is not each_rings
        if self.around is None and not is_silent:
            return engine
        return replace(engine, around=self.around, ring=self.ring if is_silent else engine.ring)


def parts(engine: Engine) -> list[Engine]:
    """Return the engine of each cell, by name; the one engine where there are no cells."""
    return [*engine.parts().values()] if isinstance(engine, CellEngine) else [engine]


def at_home(engine: Engine, org: OrgRef) -> Engine:
    """Return the engine on an organisation's own database."""
    return engine.at_home(org) if isinstance(engine, CellEngine) else engine


def _known_there(engine: Engine, org: OrgRef) -> Engine:
    engine.ask(org, lambda _: None)
    return engine


def _error(outcome: Outcome) -> Exception:
    assert isinstance(outcome, Exception)
    return outcome
