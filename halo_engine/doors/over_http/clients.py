"""Messages of other products' clients, taken as sets: new ones become calls of our doors (§13).

``domain.clients`` says what a message means, ``contacts.clients`` keeps what has to wait.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

from halo_engine.contacts.calls import Call
from halo_engine.contacts.clients.anonymous import AnonymousTraits
from halo_engine.contacts.clients.giving import give
from halo_engine.contacts.clients.links import LINK_SET, AliasCall
from halo_engine.contacts.clients.repeats import Ticket, give_back, take, ticket
from halo_engine.contacts.clients.waiting import WaitingCall, keep_waiting
from halo_engine.contacts.finding import known_users
from halo_engine.contacts.subjects import about_key, about_session, about_user
from halo_engine.domain.answer import Answer
from halo_engine.domain.clients import customerio, segment
from halo_engine.domain.clients.meaning import ClientMessage, DoorCall, Meaning, TakenAt, read_id
from halo_engine.domain.errors import Refusal, conflict, shown, validated
from halo_engine.domain.times.instants import format_instant
from halo_engine.doors.over_http.callers import PROVEN, PUBLIC, CallersDoor, verified
from halo_engine.sets import Outcome, Outcomes, SetCall, SetForm, Subject, perform_calls
from halo_engine.work import Work


class TakenMessage(Answer):
    """A message was taken, now or before; ``warnings`` say what was left out."""

    warnings: tuple[str, ...] = ()


class PublicLinkCall(AliasCall):
    """Two ids of one user by the widget key; ``user_token`` proves the user."""

    user_token: str | None = None


@dataclass(frozen=True, slots=True)
class _Client:
    """A kind of client: what its messages mean, and which fields name users and a session.

    Message ids of different clients are kept apart by their ``name``.
    """

    name: str
    meaning_of: Callable[[ClientMessage, TakenAt, Mapping[str, Any]], Meaning]
    users: tuple[str, ...]
    session: str | None = None

    def session_of(self, message: ClientMessage) -> str | None:
        """Return the anonymous id under which traits may be kept that go with an identify."""
        if self.session is None or message.kind != "identify":
            return None
        try:
            return read_id(message.content, self.session)
        except Refusal:
            return None

    def subjects(self, message: ClientMessage) -> Iterator[Subject]:
        """Yield what a message is about; several may go together, in their order."""
        content = message.content
        for name in self.users:
            if content.get(name):
                yield about_user(str(content[name]))
        if self.session is not None and content.get(self.session):
            yield about_session(str(content[self.session]))
        if message.key is not None:
            yield about_key(message.key)


_SEGMENT: Final = _Client(
    "segment", segment.meaning_of, users=("userId", "previousId"), session="anonymousId"
)
_CUSTOMERIO: Final = _Client("customerio", customerio.meaning_of, users=("user_id",))

#: The doors of messages by the widget key, which has to prove its users, and by an ingest key.
_PUBLIC: Final[Mapping[str, CallersDoor]] = {
    **PUBLIC,
    "sessions.link": CallersDoor(PublicLinkCall, None, verified(LINK_SET, lambda _: True)),
}
_PROVEN: Final[Mapping[str, CallersDoor]] = {
    **PROVEN,
    "sessions.link": CallersDoor(AliasCall, None, LINK_SET),
}

#: The field of a waiting call that says when it was made.
_INSTANTS: Final = {"track": "timestamp", "companies.identify": "sent_at"}


class _Planned(NamedTuple):
    """A call of the message at ``ordinal``. A refusal of its ``main`` call refuses the message,
    another call's becomes a warning.
    """

    ordinal: int
    door: str
    set_call: SetCall
    is_main: bool

    @property
    def user_id(self) -> str | None:
        """The user whom the call is about."""
        user_id: str | None = self.set_call.call.user_id
        return user_id


class _Set:
    """A set of messages under way: read in order, done as sets, or kept until the user comes."""

    def __init__(
        self,
        work: Work,
        client: _Client,
        doors: Mapping[str, CallersDoor],
        messages: Sequence[ClientMessage],
    ) -> None:
        self._work = work
        self._client = client
        self._doors = doors
        self._messages = messages
        self._outcomes = Outcomes(len(messages))
        self._warnings: defaultdict[int, list[str]] = defaultdict(list)

    def run(self) -> list[Outcome]:
        """Return what became of each message, in their order."""
        tickets = {
            ordinal: ticket(ordinal, self._client.name, message.key, message.body)
            for ordinal, message in enumerate(self._messages)
            if message.key is not None
        }
        new = self._new(tickets)
        sessions = (self._client.session_of(self._messages[ordinal]) for ordinal in new)
        traits = AnonymousTraits(self._work, [each for each in sessions if each is not None])
        self._do(self._read(new, traits))
        refused = [ordinal for ordinal in new if isinstance(self._outcomes.all[ordinal], Refusal)]
        traits.write(refused)
        give_back(self._work, [tickets[ordinal] for ordinal in refused if ordinal in tickets])
        for ordinal in set(new) - {*refused}:
            warnings = tuple(dict.fromkeys(self._warnings[ordinal]))
            self._outcomes[ordinal] = TakenMessage(warnings=warnings)
        return self._outcomes.all

    def _new(self, tickets: Mapping[int, Ticket]) -> list[int]:
        """Return the ordinals of messages that are new; the others have their outcome."""
        taken = take(self._work, [*tickets.values()])
        for ordinal in tickets.keys() - taken.new:
            self._outcomes[ordinal] = TakenMessage()
        for ordinal in taken.contradicting:
            problem = f"id: {shown(self._messages[ordinal].key)} was used with another body"
            allowed = "allowed is a new one, or the same body again"
            self._outcomes[ordinal] = conflict("idempotency_key_reused", f"{problem}; {allowed}")
        return [ordinal for ordinal, outcome in enumerate(self._outcomes.all) if outcome is None]

    def _read(self, new: Sequence[int], traits: AnonymousTraits) -> list[_Planned]:
        """Return the calls of messages; those that cannot be read are refused."""
        moment = TakenAt(self._work.now, self._work.org.zone)
        planned: list[_Planned] = []
        only_known: set[int] = set()
        for ordinal in new:
            message = self._messages[ordinal]
            with self._outcomes.of(ordinal):
                kept = traits.of(self._client.session_of(message))
                meaning = self._client.meaning_of(message, moment, kept)
                calls = [self._call(step) for step in meaning.steps]
                if meaning.session_id is not None and meaning.anonymous is not None:
                    traits.say(meaning.session_id, meaning.anonymous)
                elif meaning.session_id is not None and message.kind == "identify":
                    traits.use(meaning.session_id, ordinal)
                planned += [
                    _Planned(ordinal, step.door, call, is_main=step is meaning.steps[0])
                    for step, call in zip(meaning.steps, calls, strict=True)
                ]
                self._warnings[ordinal] += meaning.warnings
                only_known.update([ordinal] if meaning.only_known else [])
        return self._without_strangers(planned, only_known)

    def _call(self, step: DoorCall) -> SetCall:
        opened = self._doors[step.door]
        known = _fields_of(opened.call)
        fields = {name: said for name, said in step.fields.items() if name in known}
        return SetCall(opened.form, validated(opened.call, fields, ""))

    def _without_strangers(self, planned: list[_Planned], only_known: set[int]) -> list[_Planned]:
        """Return the calls without those that need a known user and have none."""
        if not only_known:
            return planned
        asked = {str(each.user_id) for each in planned if each.ordinal in only_known}
        known = known_users(self._work, sorted(asked))
        left = []
        for each in planned:
            if each.ordinal not in only_known:
                known.update([str(each.user_id)] if each.door == "identify" else [])
            elif str(each.user_id) not in known:
                continue
            left.append(each)
        return left

    def _do(self, planned: Sequence[_Planned]) -> None:
        """Do the calls; those of unknown users are done again if the set identifies them, else they
        wait.
        """
        unknown, identified = self._perform(planned)
        if identified:
            give(self._work, sorted(identified))
            again = [each for each in unknown if each.user_id in identified]
            still, _ = self._perform(again)
            unknown = [*(each for each in unknown if each.user_id not in identified), *still]
        self._wait(unknown)

    def _perform(self, planned: Sequence[_Planned]) -> tuple[list[_Planned], set[str]]:
        """Do calls; return those whose user is unknown, and the users that were identified."""
        calls = [each.set_call for each in planned]
        outcomes = perform_calls(self._work, calls, self._work.org.known_fields) if calls else []
        unknown: list[_Planned] = []
        identified: set[str] = set()
        for each, outcome in zip(planned, outcomes, strict=True):
            if not isinstance(outcome, Refusal):
                self._warnings[each.ordinal] += outcome.warnings
                identified.update([str(each.user_id)] if each.door == "identify" else [])
            elif not each.is_main:
                self._warnings[each.ordinal].append(outcome.message)
            elif outcome.code == "unknown_contact":
                unknown.append(each)
            else:
                self._outcomes[each.ordinal] = outcome
        return unknown, identified

    def _wait(self, unknown: Sequence[_Planned]) -> None:
        """Keep calls until their user comes; those that are too many are refused."""
        calls = [self._waiting(each) for each in unknown]
        for each, refusal in zip(unknown, keep_waiting(self._work, calls), strict=True):
            if refusal is not None:
                self._outcomes[each.ordinal] = refusal

    def _waiting(self, planned: _Planned) -> WaitingCall:
        """Return a call as it waits, with the instant at which it came if it names none."""
        said = planned.set_call.call.model_dump(
            mode="json", exclude={"user_token"}, exclude_none=True
        )
        if (instant := _INSTANTS.get(planned.door)) is not None:
            said.setdefault(instant, format_instant(self._work.now))
        return WaitingCall(str(planned.user_id), planned.door, said)


@cache
def _fields_of(call: type[Call]) -> frozenset[str]:
    """Return the fields of a door's call; by an ingest key there is no ``user_token``."""
    return frozenset(call.model_fields)


def _messages(client: _Client, doors: Mapping[str, CallersDoor]) -> SetForm:
    def perform(work: Work, messages: Sequence[ClientMessage]) -> list[Outcome]:
        return _Set(work, client, doors, messages).run()

    return SetForm(perform, lambda _: (), shared=client.subjects)


#: How messages of Segment's clients are done as a set, by the widget key and by an ingest key.
SEGMENT_PUBLIC: Final = _messages(_SEGMENT, _PUBLIC)
SEGMENT_PROVEN: Final = _messages(_SEGMENT, _PROVEN)
#: The same of Customer.io's.
CUSTOMERIO_PUBLIC: Final = _messages(_CUSTOMERIO, _PUBLIC)
CUSTOMERIO_PROVEN: Final = _messages(_CUSTOMERIO, _PROVEN)
