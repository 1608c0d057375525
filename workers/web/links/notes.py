"""Links that were followed wait to be noted: a reader is answered first (contract §16).

They wait in memory, so many at most; while the database is away they stay. Clicks are judged a
moment after they are noted: by then it is known whether a scanner followed other links of the mail.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from halo_engine.cells.asking import NoAnswer
from halo_engine.domain.errors import Refusal
from halo_engine.domain.machines import JUDGED_AFTER
from halo_engine.domain.mail_tokens import NOBODYS_MAIL, MailToken, Purpose
from halo_engine.engine import Engine
from halo_engine.mail.incoming.followed import Followed, note_followed
from halo_engine.mail.incoming.scanning import MOST_AT_ONCE, judge_links
from halo_engine.outages import database_trouble
from halo_engine.work import OrgRef, Work

#: More that wait are dropped: an open that is not noted does less harm than a process that grows.
MOST_WAITING: Final = 10_000
#: More of a user agent tells nothing.
_LONGEST_AGENT: Final = 100
_LOOKS_EVERY_SECONDS: Final = 0.25

_log = structlog.get_logger(__name__)


def _clock() -> datetime:
    return datetime.now(UTC)


@dataclass(eq=False)
class LinkNotes:
    """Notes what was followed, in sets by organisation, from a thread of its own."""

    engine: Engine
    clock: Callable[[], datetime] = _clock
    _waiting: list[Followed] = field(default_factory=list)
    #: When to judge the clicks of which organisation.
    _to_judge: list[tuple[datetime, UUID]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._work, name="halo-link-notes", daemon=True)
        self._thread.start()

    def add(self, token: MailToken, agent: str = "", *, machine: bool = False) -> None:
        """Note later that a link was followed; a sample's is nobody's.

        ``machine``: the request says itself that no person made it.
        """
        if token.recipient_id == NOBODYS_MAIL:
            return
        followed = Followed(token, self.clock(), agent[:_LONGEST_AGENT], machine)
        with self._lock:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append(followed)

    def close(self) -> None:
        """Note everything that waits, and end; others judge it."""
        self._closing.set()
        self._thread.join()
        self._note()

    def _work(self) -> None:
        while not self._closing.wait(_LOOKS_EVERY_SECONDS):
            self._note()
            self._judge()

    def _note(self) -> None:
        with self._lock:
            due, self._waiting = self._waiting, []
        for org_id, some in _by_organization(due).items():
            if self._is_put_off(org_id, partial(note_followed, followed=some)):
                with self._lock:
                    self._waiting = [*some, *self._waiting][:MOST_WAITING]
            elif any(each.token.purpose is not Purpose.OPEN for each in some):
                self._to_judge.append((self.clock() + JUDGED_AFTER, org_id))

    def _judge(self) -> None:
        """Judge the links that have waited long enough since they were noted."""
        now = self.clock()
        due = {org_id for at, org_id in self._to_judge if at <= now}
        self._to_judge = [each for each in self._to_judge if each[0] > now]

        def work(work: Work) -> None:
            if judge_links(work) == MOST_AT_ONCE:
                self._to_judge.append((now, work.org_id))

        self._to_judge += [(now, org_id) for org_id in due if self._is_put_off(org_id, work)]

    def _is_put_off(self, org_id: UUID, action: Callable[[Work], None]) -> bool:
        """Do it in a transaction of its own; return whether the database was away, or the
        organisation is on its way to another one.
        """
        try:
            self.engine.perform(OrgRef(id=org_id), action)
        except Refusal:
            # The organisation was erased meanwhile.
            return False
        except Exception as error:  # noqa: BLE001 -- the next ones are noted all the same
            if not isinstance(error, NoAnswer) and database_trouble(error) is None:
                _log.error("opens and clicks are lost", exc_info=error)
                return False
            return True
        return False


def _by_organization(followed: Iterable[Followed]) -> Mapping[UUID, Sequence[Followed]]:
    found: dict[UUID, list[Followed]] = defaultdict(list)
    for each in followed:
        found[each.token.org_id].append(each)
    return found
