"""Sets: calls that wait together are done together, with an answer or a refusal each (decision 36).

A call is about subjects: a contact by its ID or by its address, a company, a session. Of two calls
about one subject the earlier is done first; all others may go together.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

from halo_engine.domain.errors import Refusal
from halo_engine.sql.planning import plan_without_values
from halo_engine.work import Organization, RoundTrip, Work

_Answer = TypeVar("_Answer")

#: The kind of a subject, and its name.
Subject = tuple[str, str]
#: The result of a call: its answer, or why there is none.
Outcome = Any

#: A call that may be the first to give a custom field is about the registry of fields, too: the
#: first one decides the field's type, and takes the room for it.
_REGISTRY: Final[Subject] = ("registry", "")


def _nothing(_: object) -> Iterable[Any]:
    return ()


def _never(_: object) -> bool:
    return False


class OrgCalls(NamedTuple):
    """Calls of an organisation, as it is known."""

    org: Organization
    calls: Sequence[Any]


@dataclass(frozen=True, slots=True)
class SetForm:
    """The way in which calls of one door are done as a set.

    ``perform`` returns an answer or a Refusal for each call, in their order. ``subjects`` returns
    those of a call. Several calls about the same ``shared`` subjects may go together; they are done
    in their order. ``fields`` names the custom fields that a call gives, those of contacts by
    their bare names. ``in_one_trip`` is the same in one round trip; a call's outcome is None there
    if it has to go the usual way (``Engine.perform``). It takes calls of several
    organisations if ``joins`` holds for each; their outcomes come one organisation after the other.
    """

    perform: Callable[[Work, Sequence[Any]], Sequence[Outcome]]
    subjects: Callable[[Any], Iterable[Subject]]
    shared: Callable[[Any], Iterable[Subject]] = _nothing
    fields: Callable[[Any], Iterable[Hashable]] = _nothing
    in_one_trip: (
        Callable[[Sequence[OrgCalls], datetime | None], RoundTrip[Sequence[Outcome]] | None] | None
    ) = None
    joins: Callable[[OrgCalls], bool] = _never


class Outcomes:
    """The outcomes of the calls of a set, by their ordinals."""

    def __init__(self, calls: int) -> None:
        self.all: list[Outcome] = [None] * calls

    def __setitem__(self, ordinal: int, outcome: Outcome) -> None:
        self.all[ordinal] = outcome

    @contextmanager
    def of(self, ordinal: int) -> Iterator[None]:
        """Take a refusal that is raised inside as the outcome of this call."""
        try:
            yield
        except Refusal as refusal:
            self.all[ordinal] = refusal.with_traceback(None)


class SetCall(NamedTuple):
    """A call, and how calls of its door are done as a set."""

    form: SetForm
    call: Any

    @property
    def subjects(self) -> frozenset[Subject]:
        """The subjects of the call, shared or not."""
        return frozenset((*self.form.subjects(self.call), *self.form.shared(self.call)))


class Group(NamedTuple):
    """Calls of one door that go together, by their ordinals in the set."""

    form: SetForm
    ordinals: Sequence[int]


def in_groups(calls: Sequence[SetCall], settled: Collection[str] = ()) -> list[Group]:
    """Split a set into as few groups as the order of its calls allows.

    The groups are done one after the other. ``settled`` names custom fields of contacts that are
    registered already.
    """
    last: dict[Subject, tuple[int, SetForm]] = {}
    groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    forms: dict[int, SetForm] = {}
    for ordinal, (form, call) in enumerate(calls):
        alone, shared = list(form.subjects(call)), list(form.shared(call))
        if any(name not in settled for name in form.fields(call)):
            shared.append(_REGISTRY)
        order = max(
            *(1 + last[each][0] for each in alone if each in last),
            *(at + (other is not form) for at, other in (last[it] for it in shared if it in last)),
            0,
            0,
        )
        last.update(dict.fromkeys((*alone, *shared), (order, form)))
        forms[id(form)] = form
        groups[order, id(form)].append(ordinal)
    ordered = sorted(groups, key=lambda key: (key[0], groups[key][0]))
    return [Group(forms[form], groups[order, form]) for order, form in ordered]


def perform_calls(
    work: Work, calls: Sequence[SetCall], settled: Collection[str] = ()
) -> list[Outcome]:
    """Do a set's calls in one transaction; return the outcomes in their order."""
    outcomes: list[Outcome] = [None] * len(calls)
    if len(calls) > 1:
        # The calls are passed as JSON, so no plan depends on them; planning takes as long as a set.
        plan_without_values(work.connection)
    for form, ordinals in in_groups(calls, settled):
        done = form.perform(work, [calls[ordinal].call for ordinal in ordinals])
        for ordinal, outcome in zip(ordinals, done, strict=True):
            outcomes[ordinal] = outcome
    return outcomes


def only(answer: type[_Answer], outcomes: Sequence[Outcome]) -> _Answer:
    """Return the ``answer`` to a set of one; raise it if it is a refusal."""
    [outcome] = outcomes
    if isinstance(outcome, Refusal):
        raise outcome
    assert isinstance(outcome, answer)
    return outcome
