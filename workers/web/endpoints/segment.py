"""The routes of Segment's and RudderStack's clients, under /v1 (contract §13)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from halo_engine.domain.clients.meaning import ClientMessage
from halo_engine.domain.clients.segment import BATCH_PATHS, PATHS, message_of
from halo_engine.domain.errors import Refusal, bad_input, shown, unauthorized
from halo_engine.domain.values import check_json
from halo_engine.doors.over_http.clients import SEGMENT_PROVEN, SEGMENT_PUBLIC, TakenMessage
from halo_engine.engine import Engine
from halo_engine.sets import Outcome, SetCall, SetForm
from halo_engine.work import OrgRef

from ..gathering import Gatherer
from ..messages.cors import CLIENTS
from ..messages.requests import Request
from ..messages.responses import Response, answered
from ..routes import Caller, Handler, Route
from ..threads import Threads
from .operator_keys import OperatorKeys
from .proofs import basic, bearer

_log = structlog.get_logger(__name__)

#: The most messages of a batch that are one transaction.
_LARGEST_SET: Final = 500
#: The most refused messages of a batch that are named in the log.
_MOST_LOGGED: Final = 20


@dataclass(frozen=True)
class Segment:
    """Takes messages: single ones in sets, and each batch as a set."""

    engine: Engine
    gatherer: Gatherer
    threads: Threads
    keys: OperatorKeys

    def routes(self) -> Iterator[Route]:
        """Make the routes."""
        handlers = {name: self._single(kind) for kind, names in PATHS.items() for name in names}
        for name, handler in {**handlers, **dict.fromkeys(BATCH_PATHS, self._batch)}.items():
            # Segment's client for Java sends to /v1/import/.
            path = f"{CLIENTS.decode()}{name}"
            yield Route("POST", path, self._who, handler, slashed=True)

    async def _who(self, request: Request) -> Caller:
        """Return the caller that the header proves; nobody if it is missing, since the body may
        have the key.
        """
        key = _key_of(request)
        return Caller() if key is None else await self.keys.application_of(key)

    async def _caller(self, request: Request, caller: Caller, body: Mapping[str, Any]) -> Caller:
        """Return the caller by header and body; raises a 401 if neither has a key, a 400 if they
        differ.
        """
        key, own = _key_of(request), body.get("writeKey")
        if own is None or own == "":
            if key is None:
                problem = "Authorization: is required; allowed is Basic, the write key as user name"
                raise unauthorized("key_required", f"{problem}, or writeKey in the body")
            return caller
        if not isinstance(own, str):
            raise bad_input("writeKey", f"{shown(own)} is refused; allowed is a key")
        if key is None:
            return await self.keys.application_of(own)
        if key != own:
            problem = "is not the key of Authorization; allowed is the same, or one of the two"
            raise bad_input("writeKey", problem, "keys_differ")
        return caller

    def _single(self, kind: str) -> Handler:
        """Return the handler of single messages of a kind."""

        async def handle(request: Request, caller: Caller) -> Response:
            given, is_strict = await request.json_of_clients()
            content = _content(given, "body")
            caller = await self._caller(request, caller, content)
            if not is_strict:
                check_json(content, "body")
            taken = await self.gatherer.perform(
                _org(caller), _form(caller), message_of(kind, content)
            )
            warnings = {"warnings": taken.warnings} if taken.warnings else {}
            return answered({"success": True, **warnings})

        return handle

    async def _batch(self, request: Request, caller: Caller) -> Response:
        """Handle a batch: each of its messages is taken, or refused by name."""
        given, is_strict = await request.json_of_clients()
        body = _content(given, "body")
        caller = await self._caller(request, caller, body)
        entries = body.get("batch")
        if not isinstance(entries, list):
            raise bad_input("batch", f"{shown(entries)} is refused; allowed is a list of messages")
        outcomes: dict[int, Outcome] = {}
        messages: dict[int, ClientMessage] = {}
        for place, entry in enumerate(entries):
            try:
                messages[place] = _message(entry, body.get("sentAt"), is_strict=is_strict)
            except Refusal as refusal:
                outcomes[place] = refusal
        done = await self.threads.run(lambda: self._perform(caller, [*messages.values()]))
        outcomes.update(zip(messages, done, strict=True))
        return answered(_said(entries, outcomes, request.request_id))

    def _perform(self, caller: Caller, messages: Sequence[ClientMessage]) -> list[Outcome]:
        """Do messages as sets; raises errors that concern all of them."""
        org, form = _org(caller), _form(caller)
        if not messages:
            self.engine.ask(org, lambda _: None)
        outcomes: list[Outcome] = []
        for first in range(0, len(messages), _LARGEST_SET):
            calls = [SetCall(form, each) for each in messages[first : first + _LARGEST_SET]]
            outcomes += self.engine.perform_set(org, calls)
        for outcome in outcomes:
            is_refused = isinstance(outcome, Refusal)
            if not is_refused and isinstance(outcome, Exception):
                raise outcome
            if is_refused and outcome.code == "unknown_widget_key":
                raise outcome
        return outcomes


def _key_of(request: Request) -> str | None:
    """Return the key of the header: Basic's user name, or Bearer's token; None if there is none.

    Bearer is taken too, since a 401 asks for it: at one that asks for Basic, a browser would ask
    its user for a password.
    """
    given = basic(request)
    if given is not None:
        return given[0] or None
    return bearer(request) if b"authorization" in request.headers else None


def _message(entry: object, sent_at: object, *, is_strict: bool) -> ClientMessage:
    content = _content(entry, "message")
    if not is_strict:
        check_json(content, "message")
    kind = content.get("type")
    return message_of(kind if isinstance(kind, str) else shown(kind), content, sent_at)


def _content(given: object, where: str) -> dict[str, Any]:
    if isinstance(given, dict):
        return given
    raise bad_input(where, f"{shown(given)} is refused; allowed is an object", "bad_json")


def _said(
    entries: Sequence[Any], outcomes: Mapping[int, Outcome], request_id: str
) -> Mapping[str, Any]:
    """Return the answer to a batch, and log what was refused."""
    refused: list[Mapping[str, Any]] = []
    warnings: list[Mapping[str, Any]] = []
    for place, entry in enumerate(entries):
        outcome = outcomes[place]
        message_id = entry.get("messageId") if isinstance(entry, dict) else None
        named = {"index": place, "messageId": message_id if isinstance(message_id, str) else None}
        if isinstance(outcome, Refusal):
            refused.append({**named, **outcome.as_dict()})
        elif isinstance(outcome, TakenMessage) and outcome.warnings:
            warnings += [{**named, "message": each} for each in outcome.warnings]
    if refused:
        _log.warning(
            "messages refused",
            request_id=request_id,
            messages=len(refused),
            first=[f"{each['index']}: {each['code']}" for each in refused[:_MOST_LOGGED]],
        )
    beside = {"refused": refused, "warnings": warnings}
    return {"success": True, **{name: each for name, each in beside.items() if each}}


def _form(caller: Caller) -> SetForm:
    return SEGMENT_PUBLIC if caller.key is None else SEGMENT_PROVEN


def _org(caller: Caller) -> OrgRef:
    assert caller.org is not None
    return caller.org
