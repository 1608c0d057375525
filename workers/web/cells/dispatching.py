"""Passes each request to the application of its organisation's cell.

Each cell has connections, threads and caches of its own, so one that hangs holds up no other. What
a request says of its organisation decides; a call that meets an organisation which has moved goes
on by itself (``cells.engine``).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from halo_engine.cells.finding import Finder
from halo_engine.cells.moved import moved_to
from halo_engine.domain.errors import Refusal

from ..messages.requests import Request
from ..messages.responses import Response
from ..panel.cookies import SessionCookie
from ..routes import Caller, Route, Shows
from ..serving import OwnRoutes
from ..threads import Threads
from .proofs import Named, Secret, named

#: The application of requests that name no organisation, such as the page to sign in, or a mail.
NOBODYS: Final = ""

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _InCell(Caller):
    """A caller as a cell's own route proved it."""

    proven: Caller = field(default_factory=Caller)
    route: Route | None = None


@dataclass
class Dispatcher:
    """The routes of all cells as one. ``routes_in`` makes those of a cell, or of ``NOBODYS``.

    ``threads`` are for questions to servers, whose answers may take a while.
    """

    finder: Finder
    threads: Threads
    cookie: SessionCookie
    routes_in: Callable[[str], OwnRoutes]

    def __post_init__(self) -> None:
        self._made: dict[str, Mapping[_Key, Route]] = {}
        self._shows: Shows | None = None
        self._of(NOBODYS)

    def routes(self) -> Iterator[Route]:
        """Make the routes."""
        for route in self._of(NOBODYS).values():
            yield Route(
                route.method,
                route.template,
                partial(self._who, route=route),
                self._handle,
                route.always,
                route.shows,
            )

    def shows_unknown(self, request: Request, problem: Response) -> Response:
        """Show a problem of a path that is nobody's."""
        assert self._shows is not None
        return self._shows(request, problem)

    async def _who(self, request: Request, route: Route) -> Caller:
        """Prove the caller in the cell that the request leads to."""
        said = await named(request, route, self.cookie)
        cell = await self._cell(said)
        try:
            return await self._proven(cell, request, route)
        except Refusal:
            if not isinstance(said, Secret):
                raise
            # It may have moved, or been used up in the cell that was remembered.
            self.finder.forget(said.text)
            now = await self._cell(said)
            if now == cell:
                raise
            return await self._proven(now, request, route)
        except Exception as error:
            moved = moved_to(error)
            if moved is None:
                raise
            return await self._proven(moved, request, route)

    async def _proven(self, cell: str, request: Request, route: Route) -> _InCell:
        own = self._of(cell)[route.method, route.template]
        proven = await own.who(request)
        return _InCell(proven.org, proven.key, proven.key_id, proven, own)

    async def _handle(self, request: Request, caller: Caller) -> Response:
        assert isinstance(caller, _InCell)
        route = caller.route
        assert route is not None
        try:
            return await route.handle(request, caller.proven)
        except Exception as error:
            # What is no transaction of the engine's: a session that begins, or ends.
            moved = moved_to(error)
            if moved is None or not request.can_be_read_again:
                raise
            again = await self._proven(moved, request, route)
            assert again.route is not None
            return await again.route.handle(request, again.proven)

    async def _cell(self, said: Named) -> str:
        """Return the cell that a request leads to; any cell if none knows what it names: that one
        says so.
        """
        if said is None:
            return NOBODYS
        if isinstance(said, Secret):
            known = self.finder.known_owner(said.text)
            if known is None:
                ask = partial(self.finder.owner, said.text, said.question)
                known = await self.threads.run(ask)
            return self._any() if known is None else known[0]
        cell = self.finder.known(said)
        if cell is None:
            cell = await self.threads.run(partial(self.finder.look_up, said))
        return self._any() if cell is None else cell

    def _any(self) -> str:
        return min(self.finder.directory.cells)

    def _of(self, cell: str) -> Mapping[_Key, Route]:
        """Return the routes of a cell; they are made when the first request goes there."""
        if cell not in self._made:
            own = self.routes_in(cell)
            self._shows = self._shows or own.shows_unknown
            self._made[cell] = {(each.method, each.template): each for each in own.routes}
        return self._made[cell]
