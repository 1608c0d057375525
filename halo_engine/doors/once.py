"""Do a call once, however often it comes with one idempotency key (contract §2, §12)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Executable, ScalarSelect, Update, Uuid, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.calls import Call
from halo_engine.contacts.events.idempotency import answer_as_before, fingerprint, kept_answers
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.errors import Refusal, conflict, shown
from halo_engine.doors.acts import Order, Unfinished, Write
from halo_engine.doors.door import AnyDoor, as_data
from halo_engine.engine import Engine
from halo_engine.operators.origin import Origin
from halo_engine.series.locks import CALL_LOCK
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users, idempotency_keys
from halo_engine.work import OrgRef, Work

#: Has the rest of a flow done, given the call that continues it.
GoOn = Callable[[Any], object]
#: Longer than an event's key can be, so that operators' keys differ from applications'.
_LENGTH: Final = 300


def run_once(
    door: AnyDoor,
    engine: Engine,
    org: OrgRef,
    call: Call,
    origin: Origin,
    key: str,
    go_on: GoOn,
    body: Call | None = None,
) -> Any:
    """Run an operator's call; if its ``key`` was used before, return the first answer.

    ``go_on`` continues what a flow leaves unfinished. ``body`` identifies the call, if the call
    itself does not. Raises what the door and ``go_on`` raise, and a 409 if the key was used with
    another body, or if its flow is still under way. A call that raises leaves the key free.
    """
    claim = _Claim(key, fingerprint(door.name, body or call), call)
    act = door.act
    if isinstance(act, Write | Order):
        noting = door.noting(engine, call, origin).around or _alone
        within = partial(act.within, call=call, origin=origin)
        return engine.perform(
            org, lambda work: claim.around(work, lambda work: noting(work, within))
        )
    with claim.alone(engine, org):
        kept = engine.ask(org, claim.kept)
        if kept is not None:
            return kept
        answer = door.run(engine, org, call, origin)
        if isinstance(answer, Unfinished):
            go_on(answer.rest)
            answer = answer.answer
        # An organisation that was erased has no keys any more.
        with suppress(Refusal):
            engine.ask(org, lambda work: claim.keep(work, answer))
        return answer


def _alone(work: Work, act: Callable[[Work], Any]) -> Any:
    return act(work)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A key, and the call that uses it; ``body`` is the call's fingerprint."""

    key: str
    body: str
    call: Call

    @property
    def _stored(self) -> str:
        """The hash of the key that is stored: keys often contain names."""
        return f"operator:{sha256(self.key.encode()).hexdigest()}".ljust(_LENGTH)

    def around(self, work: Work, act: Callable[[Work], Any]) -> Any:
        """Claim the key, act, and keep the answer, in one transaction.

        Whoever finds the key claimed waits until that transaction has ended.
        """
        if not self.keep(work, None):
            return self.kept(work)
        answer = act(work)
        kept = {"answer": as_data(answer), "end_user_id": self._contact(work, answer)}
        work.connection.execute(_keep_answer(work, self._stored, kept))
        return answer

    @contextmanager
    def alone(self, engine: Engine, org: OrgRef) -> Iterator[None]:
        """Hold the key while a flow of several transactions runs; a 409 where another call does.

        A row could not hold it: erasing an organisation would wait for its own key. If the process
        dies, the database lets the key go.
        """
        org_id = engine.ask(org, lambda work: work.org_id)
        with engine.database.begin() as connection:
            if not connection.scalar(_try_to_hold_key(f"{org_id} {self._stored}")):
                problem = f"{shown(self.key)} is the key of a call that is under way"
                allowed = "allowed is to send it again when that one is answered"
                raise conflict("idempotency_key_busy", f"idempotency_key: {problem}; {allowed}")
            yield

    def kept(self, work: Work) -> dict[str, Any] | None:
        """Return the answer that the key was used for; None if it was not used."""
        kept = kept_answers(work, [self._stored])
        return answer_as_before(self.key, self.body, kept[self._stored]) if kept else None

    def keep(self, work: Work, answer: object) -> bool:
        """Keep an answer under the key; return whether the key was free."""
        kept = {"answer": as_data(answer), "end_user_id": self._contact(work, answer)}
        claimed = _claim_key(work, self._stored, {"fingerprint": self.body, **kept})
        return work.connection.scalar(claimed) is not None

    def _contact(self, work: Work, answer: object) -> ScalarSelect[UUID] | None:
        """Return the contact that an answer is about: the answer is deleted with it."""
        contact_id = getattr(answer, "id", None)
        name = getattr(self.call, "contact", None)
        if contact_id is None and name is not None and answer is not None:
            try:
                [contact_id] = find_contacts(work, [name])
            except Refusal:
                return None
        if not isinstance(contact_id, UUID):
            return None
        # An erased contact no longer exists.
        is_it = (end_users.c.org_id == work.org_id, end_users.c.id == literal(contact_id, Uuid()))
        return select(end_users.c.id).where(*is_it).scalar_subquery()


@statement("try_to_hold_operators_key", held="organization key")
def _try_to_hold_key(held: str) -> Executable:
    return select(func.pg_try_advisory_xact_lock(CALL_LOCK, func.hashtext(held)))


@statement("claim_operators_key", kept={"fingerprint": "of-call", "answer": {}})
def _claim_key(work: Work, used_key: str, kept: Mapping[str, Any]) -> Executable:
    row = {"org_id": work.org_id, "key": used_key, "created_at": work.now, **kept}
    claimed = insert(idempotency_keys).values(row).on_conflict_do_nothing()
    return claimed.returning(idempotency_keys.c.key)


@statement("keep_operators_answer", kept={"answer": {}})
def _keep_answer(work: Work, used_key: str, kept: Mapping[str, Any]) -> Update:
    table = idempotency_keys
    mine = (table.c.org_id == work.org_id, table.c.key == used_key)
    return update(table).where(*mine).values(kept)
