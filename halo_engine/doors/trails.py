"""What the audit log records of an operator's change: declared with its door (contract §12)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from pydantic import BaseModel, JsonValue
from sqlalchemy import Select, select

from halo_engine.contacts.finding import find_contacts
from halo_engine.operators.audit import AuditedChange, State, differences, note
from halo_engine.operators.origin import Origin
from halo_engine.series.files.apply import Applied, ApplyResult
from halo_engine.sql.statements import statement
from halo_engine.tables import automations
from halo_engine.work import Work

_Result = TypeVar("_Result")


class Trail(Protocol):
    """Makes the rows about a door's changes, in each of its transactions."""

    def before(self, work: Work, call: Any) -> Any:
        """Read and return what is needed of the state before the change."""

    def changes(self, work: Work, call: Any, before: Any, answer: Any) -> Iterator[AuditedChange]:
        """Yield what was changed; ``answer`` is what the transaction answers."""


class Noting:
    """Runs the transactions of one call, and notes in each what it changed."""

    def __init__(self, action: str, trail: Trail, call: Any, origin: Origin) -> None:
        self._action = action
        self._trail = trail
        self._call = call
        self._origin = origin

    def __call__(self, work: Work, action: Callable[[Work], _Result]) -> _Result:
        """Return what ``action`` returns."""
        before = self._trail.before(work, self._call)
        answer = action(work)
        for change in self._trail.changes(work, self._call, before, answer):
            note(work, self._origin, self._action, change)
        return answer


@dataclass(frozen=True, slots=True)
class About:
    """A change of one thing.

    ``target`` names it: called before the change, without an answer, and again afterwards if it
    returned None. ``state`` returns its state: what differs afterwards is recorded, and if nothing
    differs, there was no change. Without a ``state`` each call is a change. ``says`` names fields
    of the call, and ``answers`` fields of the answer, that are recorded too; they hold nothing
    personal or secret.
    """

    target: Callable[[Work, Any, Any], str | None]
    state: Callable[[Work, Any], State] | None = None
    says: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()

    def before(self, work: Work, call: Any) -> tuple[str | None, State]:
        """Return the target and its state."""
        return self.target(work, call, None), self.state(work, call) if self.state else {}

    def changes(
        self, work: Work, call: Any, before: tuple[str | None, State], answer: Any
    ) -> Iterator[AuditedChange]:
        """Yield the change, unless nothing differs."""
        if getattr(call, "dry_run", False):
            return
        target, stood = before
        was, is_ = differences(stood, self.state(work, call) if self.state else {})
        if self.state and not was and not is_:
            return
        kept = _named(call, self.says) | _named(answer, self.answers)
        yield AuditedChange(target or self.target(work, call, answer), was, {**is_, **kept})


class AppliedSeries:
    """Each definition that was saved is a change of its series."""

    def before(self, _work: Work, _call: Any) -> None:
        """Read nothing: the answer says what differed."""

    def changes(
        self, _work: Work, _call: Any, _before: None, answer: Applied | list[Applied]
    ) -> Iterator[AuditedChange]:
        """Yield the series that were saved: one, or those of this part."""
        for each in [answer] if isinstance(answer, Applied) else answer:
            if each.result is not ApplyResult.UNCHANGED:
                after = {change.field: change.after for change in each.changes}
                yield AuditedChange(
                    each.series,
                    {change.field: change.before for change in each.changes},
                    after | _named(each, ("rescheduled",)),
                )


class LiftedSuppression:
    """Lifting a suppression, unless there was none."""

    def before(self, _work: Work, _call: Any) -> None:
        """Read nothing: the answer says what was lifted."""

    def changes(
        self, _work: Work, call: Any, _before: None, answer: Any
    ) -> Iterator[AuditedChange]:
        """Yield the causes that were lifted, and why."""
        if answer.lifted:
            target = None if answer.id is None else str(answer.id)
            yield AuditedChange(target, dict(answer.lifted), {"because": call.because})


def answered(_work: Work, _call: Any, answer: Any) -> str | None:
    """Name the target by the id in the answer."""
    return None if answer is None or answer.id is None else str(answer.id)


def nothing(_work: Work, _call: Any, _answer: Any) -> None:
    """Name no target: the call concerns many things, or the organisation."""


def the_contact(work: Work, call: Any, _answer: Any) -> str:
    """Name the contact of a call by its id; raises 404 if there is none."""
    return str(find_contacts(work, [call.contact])[0])


def the_user(work: Work, call: Any, _answer: Any) -> str | None:
    """Name the user of a call by its id, if it gives one; raises 404 for an unknown user."""
    return None if call.user_id is None else str(find_contacts(work, [call.user_id])[0])


def the_series(_work: Work, call: Any, _answer: Any) -> str:
    """Name the series of a call by its key."""
    return str(call.series)


def status_of_series(work: Work, call: Any) -> State:
    """Return the status of the series of a call, if there is one."""
    status = work.connection.scalar(_read_status(work, call.series))
    return {} if status is None else {"status": status}


@statement("read_status_of_series")
def _read_status(work: Work, series_key: str) -> Select[Any]:
    return select(automations.c.status).where(
        automations.c.org_id == work.org_id, automations.c.key == series_key
    )


#: A change of one contact, which the answer names.
ONE_CONTACT: Final = About(answered)


def _named(said: object, names: tuple[str, ...]) -> dict[str, JsonValue]:
    """Return the fields of a call or an answer that have a value, as JSON."""
    if not isinstance(said, BaseModel):
        return {}
    return said.model_dump(mode="json", include={*names}, exclude_none=True)
