"""Webhooks of Stripe and of mail gateways: each delivery is taken once (contract §12).

Callers have verified the signature. The doors are those of the tasks.
"""

import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from sqlalchemy import Executable, any_, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.stripe.sync import (
    StripeWebhookAnswer,
    StripeWebhookCall,
    stripe_webhook,
)
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import Fault, bad_input, in_its_place, several, validated
from halo_engine.engine import Engine
from halo_engine.mail.incoming.receive import Received
from halo_engine.mail.reading.incoming_mail import read_mail
from halo_engine.sql.statements import statement
from halo_engine.tables import hook_deliveries
from halo_engine.work import OrgRef, Work

#: A delivery with the id of one that came within this time is a repeat.
_REMEMBERED: Final = timedelta(days=7)
#: Each new delivery deletes so many old ones.
_MOST_FORGOTTEN: Final = 100

_Result = TypeVar("_Result")


class StripeTaken(StripeWebhookAnswer):
    """The result of an event; ``again``: it had come before, so nothing was done."""

    again: bool = False


class _Sent(BaseModel):
    """A part of a webhook; unknown keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


def _decoded(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return binascii.a2b_base64("".join(value.split()), strict_mode=True)
    except ValueError:
        problem = "is not base64; allowed is the mail, as RFC 4648 encodes it"
        raise bad_input("message_base64", problem, "bad_text") from None


class MailData(_Sent):
    """A raw mail (RFC 5322): as text, as the task takes it, or its bytes in base64."""

    message: str | None = None
    message_base64: Annotated[bytes | None, BeforeValidator(in_its_place(_decoded))] = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.message is None) == (self.message_base64 is None):
            problem = "is required, or message_base64 in its place; allowed is one of the two"
            raise several("MailData", [Fault(("message",), problem, "missing_key")])
        return self

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        if self.message_base64 is not None:
            return self.message_base64
        return (self.message or "").encode(errors="replace")


class MailHookCall(_Sent):
    """What a mail gateway sends: a mail that came in."""

    type: Literal["mail.received"]
    data: MailData


@dataclass(frozen=True, slots=True)
class Hook:
    """A route that takes webhooks: what is sent to it, and the door that the webhook goes to.

    ``headers`` prove the sender.
    """

    name: str
    path: str
    summary: str
    door: str
    sent: Any
    answer: type[Answer]
    headers: tuple[str, ...]


STRIPE: Final = Hook(
    "hooks.stripe",
    "/api/hooks/stripe/{org}",
    "Take an event that Stripe sends to the organisation; series react.",
    "stripe.webhook",
    dict[str, Any],
    StripeTaken,
    ("Stripe-Signature",),
)
MAIL: Final = Hook(
    "hooks.mail",
    "/api/hooks/mail",
    "Take a mail that a gateway sends; it finds its organisation.",
    "mail.receive",
    MailHookCall,
    Received,
    ("webhook-id", "webhook-timestamp", "webhook-signature"),
)


def take_event(engine: Engine, org_id: UUID, event: Any) -> StripeTaken:
    """Take an event as Stripe's webhook carries it; raises what the task refuses."""
    call = validated(StripeWebhookCall, {"event": event}, "halo.stripe.webhook")

    def act(work: Work) -> StripeWebhookAnswer:
        return stripe_webhook(work, call)

    try:
        answer = _once(engine, "stripe", call.event.get("id")).perform(OrgRef(id=org_id), act)
    except _Again:
        return StripeTaken(again=True)
    return StripeTaken.model_construct(**dict(answer))


def take_mail(engine: Engine, delivery: str, sent: Any) -> Received:
    """Take a mail that a gateway sends; ``delivery`` is the id that it gives the webhook."""
    raw = validated(MailHookCall, sent, "body").data.raw
    try:
        return _once(engine, "mail", delivery).receive(raw)
    except _Again:
        mail = read_mail(raw)
        return Received(kind=mail.kind, reason=mail.reason, again=True)


class _Again(Exception):  # noqa: N818 -- nothing is wrong: it was done
    """A delivery that was taken before."""


def _once(engine: Engine, hook: str, delivery: object) -> Engine:
    """Return the engine whose next transaction takes a delivery, or raises ``_Again``.

    One without an id is taken each time.
    """
    if not isinstance(delivery, str):
        return engine
    said = f"{hook}:{delivery}".encode(errors="surrogatepass")
    return engine.within(_Once(hashlib.sha256(said).digest()))


@dataclass(frozen=True, slots=True)
class _Once:
    """Claims a delivery in the transaction of its changes: both are committed, or neither."""

    name: bytes

    def __call__(self, work: Work, action: Callable[[Work], _Result]) -> _Result:
        """Run the action, unless the delivery was taken.

        A call that finds the delivery claimed waits until that transaction has ended.
        """
        if work.connection.scalar(_claim_delivery(work, self.name)) is None:
            raise _Again
        return action(work)


@statement("claim_delivery")
def _claim_delivery(work: Work, delivery_name: bytes) -> Executable:
    """Keep the delivery, unless it was kept lately; forget some that were kept long ago."""
    table, old = hook_deliveries, hook_deliveries.alias("old")
    long_ago = work.now - _REMEMBERED
    forgotten = (
        select(old.c.name)
        .where(old.c.org_id == work.org_id, old.c.taken_at < long_ago, old.c.name != delivery_name)
        .order_by(old.c.taken_at)
        .limit(_MOST_FORGOTTEN)
        .with_for_update(skip_locked=True)
    )
    # As an array, the rows are found by the primary key, whatever the planner knows of the table.
    are_old = table.c.name == any_(func.array(forgotten.scalar_subquery()))
    gone = delete(table).where(table.c.org_id == work.org_id, are_old)
    kept = insert(table).values(org_id=work.org_id, name=delivery_name, taken_at=work.now)
    return (
        kept.on_conflict_do_update(
            index_elements=[table.c.org_id, table.c.name],
            set_={"taken_at": work.now},
            where=table.c.taken_at < long_ago,
        )
        .returning(table.c.name)
        .add_cte(gone.cte("gone"))
    )
