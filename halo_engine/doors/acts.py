"""The kinds of doors: who calls them, and whether they take one transaction or several."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from halo_engine.contacts.calls import Call
from halo_engine.engine import Engine
from halo_engine.mail.incoming.links import LinkCall
from halo_engine.operators.origin import Origin
from halo_engine.sets import SetForm
from halo_engine.work import Organization, OrgRef, RoundTrip, Work

CallT = TypeVar("CallT", bound=Call)
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class Write(Generic[CallT, AnswerT]):
    """An application writes, in one transaction. Tasks name the organisation by its widget key.

    ``in_one_trip`` is the same in one round trip, for calls for which that is enough
    (``Engine.perform``). ``as_set`` is how calls that wait together are done
    (``Engine.perform_set``).
    """

    perform: Callable[[Work, CallT], AnswerT]
    in_one_trip: (
        Callable[[CallT, Organization, datetime | None], RoundTrip[AnswerT] | None] | None
    ) = None
    as_set: SetForm | None = None
    changes = True

    def run(self, engine: Engine, org: OrgRef | None, call: CallT, origin: Origin) -> AnswerT:
        """Carry out the call."""
        in_one_trip = self.in_one_trip and partial(self.in_one_trip, call)
        act = partial(self.within, call=call, origin=origin)
        return engine.perform(_named(org), act, in_one_trip=in_one_trip)

    def within(self, work: Work, call: CallT, origin: Origin) -> AnswerT:  # noqa: ARG002
        """Do so in an open transaction."""
        return self.perform(work, call)


@dataclass(frozen=True, slots=True)
class Order(Generic[CallT, AnswerT]):
    """An operator changes something, in one transaction."""

    perform: Callable[[Work, CallT, Origin], AnswerT]
    changes = True

    def run(self, engine: Engine, org: OrgRef | None, call: CallT, origin: Origin) -> AnswerT:
        """Carry out the order."""
        return engine.perform(_named(org), partial(self.within, call=call, origin=origin))

    def within(self, work: Work, call: CallT, origin: Origin) -> AnswerT:
        """Do so in an open transaction."""
        return self.perform(work, call, origin)


@dataclass(frozen=True, slots=True)
class Ask(Generic[CallT, AnswerT]):
    """An operator asks a question, which changes nothing."""

    perform: Callable[[Work, CallT], AnswerT]
    changes = False

    def run(self, engine: Engine, org: OrgRef | None, call: CallT, _: Origin) -> AnswerT:
        """Answer the question."""
        return engine.ask(_named(org), lambda work: self.perform(work, call))


@dataclass(frozen=True, slots=True)
class Unfinished(Generic[CallT, AnswerT]):
    """The answer of a flow whose turn ended before it was done; ``rest`` is the call that goes on.

    The caller of the flow must run ``rest``.
    """

    answer: AnswerT
    rest: CallT


@dataclass(frozen=True, slots=True)
class Flow(Generic[CallT, AnswerT]):
    """An operator's door that takes several transactions, or more than the database."""

    perform: Callable[[Engine, OrgRef, CallT, Origin], AnswerT | Unfinished[CallT, AnswerT]]
    changes: bool = True

    def run(
        self, engine: Engine, org: OrgRef | None, call: CallT, origin: Origin
    ) -> AnswerT | Unfinished[CallT, AnswerT]:
        """Run the flow, for one turn at most."""
        return self.perform(engine, _named(org), call, origin)


@dataclass(frozen=True, slots=True)
class Follow(Generic[CallT, AnswerT]):
    """Somebody follows a link of a mail; the call's token names the organisation (contract §9)."""

    perform: Callable[[Work, CallT], AnswerT]
    changes: bool = True

    def run(self, engine: Engine, _org: OrgRef | None, call: CallT, _: Origin) -> AnswerT:
        """Do what the link is for."""
        assert isinstance(call, LinkCall)
        return engine.redeem(
            call.token, lambda work: self.perform(work, call), reads=not self.changes
        )


@dataclass(frozen=True, slots=True)
class Manage(Generic[CallT, AnswerT]):
    """A door of the installation: about all organisations, or one that the call leads to.

    ``takes_org``: a call may name one organisation.
    """

    perform: Callable[[Engine, OrgRef | None, CallT, Origin], AnswerT]
    changes: bool = True
    takes_org: bool = False

    def run(self, engine: Engine, org: OrgRef | None, call: CallT, origin: Origin) -> AnswerT:
        """Do it for the organisation, or for all."""
        return self.perform(engine, org, call, origin)


Act = (
    Write[CallT, AnswerT]
    | Order[CallT, AnswerT]
    | Ask[CallT, AnswerT]
    | Flow[CallT, AnswerT]
    | Follow[CallT, AnswerT]
    | Manage[CallT, AnswerT]
)


def _named(org: OrgRef | None) -> OrgRef:
    assert org is not None, "this door is an organisation's"
    return org
