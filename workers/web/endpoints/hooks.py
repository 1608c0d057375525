"""The hooks: webhooks of Stripe and of mail gateways, proven by signatures (§12).

If taking a delivery fails, the answer is a 5xx and its sender tries again.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from halo_engine.doors.over_http.hooks import MAIL, STRIPE, StripeTaken, take_event, take_mail
from halo_engine.engine import Engine
from halo_engine.mail.incoming.receive import Received
from halo_engine.organizations.stripe_endpoint import endpoint_of

from ..app import Held
from ..messages.json_bodies import LARGEST_PARSED, is_json, read_json
from ..messages.requests import Request, unsupported
from ..messages.responses import Response, answered
from ..messages.signatures import Signature, bad_signature, standard_signature, stripe_signature
from ..routes import Caller, Route
from ..threads import Threads
from .proofs import anybody

#: In bytes.
LARGEST_MAIL: Final = 50 * 1024 * 1024
#: How long a mail's body may take. Nothing is proven before its end, so a few slow senders would
#: use up all the room.
SLOWEST_MAIL_SECONDS: Final = 120.0
#: The most bytes of mails that are read or taken at a time; more are refused with a 503.
_MOST_HELD: Final = 2 * LARGEST_MAIL
#: In place of the secrets of an organisation that has none, so that it takes as long.
_NOBODYS: Final = (secrets.token_urlsafe(32),)


@dataclass(frozen=True)
class Hooks:
    """Takes webhooks, with the database's part in threads.

    ``mail_secrets`` are those of mail gateways; without one there is no hook for mail. ``held``
    counts the bytes of mails that are being read or taken.
    """

    engine: Engine
    threads: Threads
    mail_secrets: tuple[bytes, ...]
    clock: Callable[[], float] = time.time
    held: Held = field(default_factory=lambda: Held(_MOST_HELD))

    def routes(self) -> Iterator[Route]:
        """Make the routes."""
        yield Route("POST", STRIPE.path, anybody, self._stripe)
        if self.mail_secrets:
            yield Route("POST", MAIL.path, anybody, self._mail)

    async def _stripe(self, request: Request, _caller: Caller) -> Response:
        """Take an event of Stripe's for the organisation in the path."""
        signature = self._fresh(stripe_signature(request.headers))
        _refuse_other_types(request)
        body = await request.body()
        org_key = request.parameters["org"]

        def work() -> StripeTaken:
            with self.engine.database.connect() as connection:
                endpoint = endpoint_of(connection, org_key)
            known = endpoint.secrets if endpoint else ()
            is_proven = signature.is_by([each.encode() for each in known or _NOBODYS], body)
            if endpoint is None or not is_proven:
                raise bad_signature()
            return take_event(self.engine, endpoint.org_id, read_json(body, most=LARGEST_PARSED))

        return answered(await self.threads.run(work))

    async def _mail(self, request: Request, _caller: Caller) -> Response:
        """Take a mail that a gateway sends, in the organisation whose mail it names."""
        signature = self._fresh(standard_signature(request.headers))
        _refuse_other_types(request)
        body = bytearray()
        try:
            async for part in request.stream(LARGEST_MAIL, SLOWEST_MAIL_SECONDS):
                body += part
                self.held(len(part))
            return answered(await self.threads.run(partial(self._take_mail, signature, body)))
        finally:
            self.held(-len(body))

    def _take_mail(self, signature: Signature, body: bytearray) -> Received:
        if not signature.is_by(self.mail_secrets, body):
            raise bad_signature()
        return take_mail(self.engine, signature.delivery, read_json(bytes(body)))

    def _fresh(self, signature: Signature) -> Signature:
        """Refuse an old signature before the body is read."""
        if not signature.is_fresh(self.clock()):
            raise bad_signature()
        return signature


def _refuse_other_types(request: Request) -> None:
    """Refuse a Content-Type other than JSON; it may be missing."""
    content_type = request.headers.get(b"content-type")
    if content_type is not None and not is_json(content_type):
        raise unsupported("Content-Type", "application/json in UTF-8")
