"""A cache of statements that depend on series: building and compiling one takes milliseconds."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from sqlalchemy import Executable

from halo_engine.sql.prepared import Prepared


class StatementCache:
    """A cache of statements, least recently used first out.

    The key is everything that a statement is built from. The organisation comes first: another one
    may have series of the same ids. All else is a parameter.
    """

    def __init__(self, room: int = 5_000) -> None:
        self._room = room
        self._kept: OrderedDict[Hashable, tuple[Prepared, int]] = OrderedDict()
        self._taken = 0
        self._access = Lock()

    def get(self, key: Hashable, build: Callable[[], Executable], *, size: int) -> Prepared:
        """Return the statement that is kept under ``key``; when none is, it is built.

        ``size`` is how many series it is built of; the cache holds statements of ``room`` series in
        all.
        """
        with self._access:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found[0]
        made = Prepared(build())
        with self._access:
            _, replaced = self._kept.pop(key, (made, 0))
            self._kept[key] = made, size
            self._taken += size - replaced
            while self._taken > self._room and len(self._kept) > 1:
                _, (_, given_up) = self._kept.popitem(last=False)
                self._taken -= given_up
        return made
