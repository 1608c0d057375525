"""The links of mails: /u/ to unsubscribe, /s/ to confirm, /c/ and /o/ (contract §9, §16)."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Final
from uuid import UUID

from halo_engine.domain.errors import Refusal
from halo_engine.domain.machines import is_prefetched
from halo_engine.domain.mail_tokens import MailToken, Purpose, bad_token, organization_of
from halo_engine.engine import Engine
from halo_engine.mail.composing.text_pieces import in_ascii
from halo_engine.mail.incoming.confirmations import (
    Confirmation,
    confirm,
    look_at_confirmation,
)
from halo_engine.mail.incoming.links import LinkCall, unsubscribe_by_link
from halo_engine.mail.incoming.preferences import (
    MOST_LISTS,
    ChooseCall,
    Preferences,
    choose,
    look_at_preferences,
)
from halo_engine.work import OrgRef, Work

from ..endpoints.proofs import anybody
from ..messages.page_forms import form_fields
from ..messages.requests import Request
from ..messages.responses import Problem, Response
from ..routes import Caller, Route
from ..threads import Threads
from .notes import LinkNotes
from .pages import asking, chosen, confirming, done, not_valid

#: A GIF of one transparent pixel.
_PIXEL: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_MOST_KEYS: Final = 10_000
#: What a body is refused with that is too large, or packed in a way that is unknown.
_UNREADABLE: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)


@dataclass(frozen=True)
class Links:
    """Answers whoever holds a mail's link; the signed token is all the proof.

    ``keys`` are the organisations' that were asked for: a link leads on while the database is away.
    """

    engine: Engine
    threads: Threads
    notes: LinkNotes
    keys: dict[UUID, bytes] = field(default_factory=dict)

    def routes(self) -> Iterator[Route]:
        """Make the routes."""
        handlers = {
            "/u/": {"GET": self._ask, "POST": self._act},
            "/s/": {"GET": self._ask_to_confirm, "POST": self._confirm},
            "/c/": {"GET": self._click},
            "/o/": {"GET": self._open},
        }
        for path, by_method in handlers.items():
            for method, handler in by_method.items():
                yield Route(method, f"{path}{{token}}", anybody, handler, of_mail=True)

    async def _ask(self, request: Request, _caller: Caller) -> Response:
        """Show the page with the button; scanners follow links, so nothing changes."""
        call = LinkCall(token=request.parameters["token"])

        def work() -> Preferences:
            look = partial(look_at_preferences, call=call)
            return self.engine.redeem(call.token, look, reads=True)

        try:
            page = asking(await self.threads.run(work))
            # Whoever follows another link of the mail within a second is a scanner.
            self._note(request, await self._verified(request, Purpose.UNSUBSCRIBE))
        except Refusal as refusal:
            return not_valid(refusal.status)
        return page

    async def _act(self, request: Request, _caller: Caller) -> Response:
        """Unsubscribe, whatever the body; only our page's own form is a choice (RFC 8058)."""
        token = request.parameters["token"]
        choice = _choice(token, await _whatever(request), request.headers)

        def act(work: Work) -> Response:
            if choice is None:
                unsubscribe_by_link(work, LinkCall(token=token))
                return done(look_at_preferences(work, LinkCall(token=token)))
            choose(work, choice)
            return chosen(look_at_preferences(work, LinkCall(token=token)))

        try:
            return await self.threads.run(lambda: self.engine.redeem(token, act))
        except Refusal as refusal:
            return not_valid(refusal.status)

    async def _ask_to_confirm(self, request: Request, _caller: Caller) -> Response:
        """Show the page with the button; scanners follow links, so nothing changes."""
        return await self._with_confirmation(request, look_at_confirmation, reads=True)

    async def _confirm(self, request: Request, _caller: Caller) -> Response:
        """Confirm, whatever the body."""
        await _whatever(request)
        return await self._with_confirmation(request, confirm, reads=False)

    async def _with_confirmation(
        self, request: Request, act: Callable[[Work, LinkCall], Confirmation], *, reads: bool
    ) -> Response:
        call = LinkCall(token=request.parameters["token"])

        def work() -> Confirmation:
            return self.engine.redeem(call.token, lambda work: act(work, call), reads=reads)

        try:
            return confirming(await self.threads.run(work))
        except Refusal as refusal:
            return not_valid(refusal.status)

    async def _click(self, request: Request, _caller: Caller) -> Response:
        """Lead on to the URL that the token signs; nowhere before it is verified."""
        try:
            token = await self._verified(request, Purpose.CLICK)
        except Refusal as refusal:
            return not_valid(refusal.status)
        self._note(request, token)
        location = in_ascii(token.url).encode()
        return Response(HTTPStatus.FOUND, headers=((b"location", location),))

    async def _open(self, request: Request, _caller: Caller) -> Response:
        """Return the picture, whatever the token."""
        try:
            token = await self._verified(request, Purpose.OPEN)
        except Exception:  # noqa: BLE001 -- a reader sees a mail, not our faults
            pass
        else:
            self._note(request, token)
        return Response(HTTPStatus.OK, _PIXEL, b"image/gif")

    def _note(self, request: Request, token: MailToken) -> None:
        machine = is_prefetched(request.method, _text(request.headers))
        self.notes.add(token, _agent(request), machine=machine)

    async def _verified(self, request: Request, purpose: Purpose) -> MailToken:
        token = request.parameters["token"]
        org_id = organization_of(token)
        key = self.keys.get(org_id)
        if key is None:
            key = await self.threads.run(lambda: self._find_key(org_id))
            if len(self.keys) >= _MOST_KEYS:
                self.keys.clear()
            self.keys[org_id] = key
        return MailToken.verified(token, key, purpose)

    def _find_key(self, org_id: UUID) -> bytes:
        try:
            return self.engine.ask(OrgRef(id=org_id), lambda work: work.org.mail_key)
        except Refusal:
            raise bad_token() from None


async def _whatever(request: Request) -> bytes:
    """Return the body; an empty one where it cannot be read, since no body keeps a POST from acting
    (RFC 8058).
    """
    try:
        return await request.body()
    except Problem as problem:
        if problem.status not in _UNREADABLE:
            raise
        request.accept()
        return b""


def _choice(token: str, body: bytes, headers: Mapping[bytes, bytes]) -> ChooseCall | None:
    """Return the choice of a body with the page's own field; None of any other body."""
    fields = form_fields(headers.get(b"content-type", b""), body)
    kinds = [value for name, value in fields if name == "preferences"]
    if not kinds:
        return None
    return ChooseCall(
        token=token,
        lists=tuple(value for name, value in fields if name == "list")[:MOST_LISTS],
        shown=tuple(value for name, value in fields if name == "shown")[:MOST_LISTS],
        everything="everything" in kinds,
    )


def _text(headers: Mapping[bytes, bytes]) -> Mapping[str, str]:
    names = (b"purpose", b"sec-purpose")
    return {name.decode(): headers.get(name, b"").decode("latin-1") for name in names}


def _agent(request: Request) -> str:
    return request.headers.get(b"user-agent", b"").decode("latin-1")
