"""Messages of Segment's and RudderStack's clients: each kind, as calls of our doors (§13).

``KINDS`` is the table: what a message of each kind means. ``PATHS`` says where each is sent to.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from halo_engine.domain.clients.instants import when
from halo_engine.domain.clients.meaning import (
    ClientMessage,
    DoorCall,
    Meaning,
    TakenAt,
    read_id,
    read_object,
    read_text,
)
from halo_engine.domain.clients.traits import our_traits
from halo_engine.domain.errors import bad_input, located, shown
from halo_engine.domain.fields.traits import LARGEST, split_company_traits, split_traits
from halo_engine.domain.values import check_json, compact_size

#: Traits that were kept of an anonymous ID.
Kept = Mapping[str, Any]


def meaning_of(message: ClientMessage, moment: TakenAt, kept: Kept) -> Meaning:
    """Return what a message asks for; ``kept`` are traits of its ``anonymousId``.

    Raises a 400 for a message that cannot be read.
    """
    read = KINDS.get(message.kind)
    if read is None:
        problem = f"{shown(message.kind)} is no kind of message; allowed are {', '.join(KINDS)}"
        raise bad_input("type", problem)
    return read(message, moment, kept)


def message_of(kind: str, content: Mapping[str, Any], sent_at: object = None) -> ClientMessage:
    """Return a message, identified by its ``messageId``; raises a 400 if that is no ID."""
    own = content.get("sentAt")
    return ClientMessage(
        kind, content, sent_at if own is None else own, read_id(content, "messageId")
    )


def _identify(message: ClientMessage, moment: TakenAt, kept: Kept) -> Meaning:
    content = message.content
    user_id, session_id = _somebody(content)
    where, theirs = _traits(content)
    if user_id is None:
        # Checked now: at the identify that uses them nobody could correct them.
        check_json(theirs, where)
        ours = _read_traits(theirs, where, moment)
        split_traits(ours.traits, moment.zone)
        return Meaning(session_id=session_id, anonymous=theirs, warnings=ours.warnings)
    joined, too_many = _joined(kept, theirs, where)
    ours = _read_traits(joined, where, moment)
    beside = {"sent_at": _when(message, moment), **_proof(content)}
    user = {"user_id": user_id, "traits": ours.traits, "session_id": session_id}
    steps = [DoorCall("identify", {**user, **beside})]
    if ours.company is not None:
        steps.append(_joining(ours.company, user_id, beside))
    return Meaning(tuple(steps), session_id, warnings=(*too_many, *ours.warnings))


def _traits(content: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the place of a message's traits, and the traits."""
    if content.get("traits"):
        return "traits", read_object(content, "traits")
    context = read_object(content, "context")
    return "context.traits", read_object(context, "traits")


class _Ours(NamedTuple):
    """Traits as our doors take them, the company that they name, and what was left out."""

    traits: dict[str, Any]
    company: Mapping[str, Any] | None
    warnings: tuple[str, ...]


def _read_traits(theirs: Mapping[str, Any], where: str, moment: TakenAt) -> _Ours:
    """Read the traits of a user; raises a 400 for what is refused of them or of their company."""
    company = theirs.get("company")
    if company is None or not isinstance(company, dict) or read_id(company, "id") is None:
        stays = () if company is None else (f"{where}.company: has no id, so it stays a trait",)
        ours, left_out = our_traits(theirs, where)
        return _Ours(ours, None, (*stays, *left_out))
    own = {name: value for name, value in theirs.items() if name != "company"}
    ours, left_out = our_traits(own, where)
    # Both or neither: a fault of either is refused before anything is written.
    split_traits(ours, moment.zone)
    fields, more = _company(company, f"{where}.company", moment)
    return _Ours(ours, fields, (*left_out, *more))


def _joined(
    kept: Kept, theirs: dict[str, Any], where: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the kept traits, overwritten by the given ones; the given ones alone if both are too
    large.
    """
    if not kept:
        return theirs, ()
    check_json(theirs, where)
    joined = {**kept, **theirs}
    if compact_size(joined) <= LARGEST:
        return joined, ()
    problem = f"with those kept of its anonymousId they are over {LARGEST} bytes"
    return theirs, (f"{where}: {problem}, so those kept are left out",)


def _company(
    company: Mapping[str, Any], where: str, moment: TakenAt
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the fields of a company that has an ``id``, and what was left out."""
    rest = {name: value for name, value in company.items() if name != "id"}
    ours, warnings = our_traits(rest, where)
    with located(where):
        split_company_traits(ours, moment.zone)
    return {"id": read_id(company, "id"), "traits": ours}, warnings


def _joining(
    company: Mapping[str, Any], user_id: str | None, beside: Mapping[str, Any]
) -> DoorCall:
    return DoorCall("companies.identify", {**company, "user_id": user_id, **beside})


def _track(message: ClientMessage, moment: TakenAt, _kept: Kept) -> Meaning:
    content = message.content
    return _happened(message, moment, content.get("event"), read_object(content, "properties"))


def _viewed(what: str, message: ClientMessage, moment: TakenAt, _kept: Kept) -> Meaning:
    """Read a page or screen that was viewed; its event is named as Segment names it."""
    content = message.content
    name, category = read_text(content, "name"), read_text(content, "category")
    event = f"Loaded a {what}"
    if name is not None:
        event = f"Viewed {name if category is None else f'{category} {name}'} {what}"
    return _happened(message, moment, event, read_object(content, "properties"))


def _happened(
    message: ClientMessage, moment: TakenAt, event: object, properties: Mapping[str, Any]
) -> Meaning:
    user_id, session_id = _somebody(message.content)
    fields = {
        "event": event,
        "user_id": user_id,
        "session_id": session_id,
        "properties": properties,
        "timestamp": _when(message, moment),
        **_proof(message.content),
    }
    return Meaning((DoorCall("track", fields),), session_id)


def _group(message: ClientMessage, moment: TakenAt, _kept: Kept) -> Meaning:
    content = message.content
    user_id, session_id = _somebody(content)
    named = {**read_object(content, "traits"), "id": _required(content, "groupId")}
    company, warnings = _company(named, "traits", moment)
    if user_id is None:
        warnings = (*warnings, "userId: is missing, so nobody joins the company")
    step = _joining(company, user_id, {"sent_at": _when(message, moment), **_proof(content)})
    return Meaning((step,), session_id, warnings=warnings)


def _alias(message: ClientMessage, _moment: TakenAt, _kept: Kept) -> Meaning:
    content = message.content
    fields = {
        "previous_id": _required(content, "previousId"),
        "user_id": _required(content, "userId"),
        **_proof(content),
    }
    return Meaning((DoorCall("sessions.link", fields),))


Read = Callable[[ClientMessage, TakenAt, Kept], Meaning]

#: What a message of each kind means.
KINDS: Final[Mapping[str, Read]] = {
    "identify": _identify,
    "track": _track,
    "group": _group,
    "page": partial(_viewed, "Page"),
    "screen": partial(_viewed, "Screen"),
    "alias": _alias,
}
#: The last part of the path to which single messages of a kind are sent, and its short form, which
#: browsers use.
PATHS: Final[Mapping[str, tuple[str, ...]]] = {kind: (kind, kind[0]) for kind in KINDS}
#: Of batches.
BATCH_PATHS: Final = ("batch", "import", "b")


def _somebody(content: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the user and the anonymous session; raises a 400 if there is neither."""
    user_id, session_id = read_id(content, "userId"), read_id(content, "anonymousId")
    if user_id is None and session_id is None:
        raise bad_input("userId", "is required, unless there is an anonymousId", "missing_key")
    return user_id, session_id


def _required(content: Mapping[str, Any], name: str) -> str:
    found = read_id(content, name)
    if found is None:
        raise bad_input(name, "is required", "missing_key")
    return found


def _when(message: ClientMessage, moment: TakenAt) -> str | None:
    """Return when the message was made, by our clock.

    Of RudderStack's browsers ``originalTimestamp`` is by the clock that ``sentAt`` is by.
    """
    content = message.content
    given = content.get("timestamp")
    return when(
        content.get("originalTimestamp") if given is None else given, message.sent_at, moment
    )


def _proof(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user token that proves who the user is, as a field; none if there is none."""
    context = content.get("context")
    token = context.get("user_token") if isinstance(context, dict) else None
    return {} if token is None else {"user_token": token}
