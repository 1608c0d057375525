"""Stripe subscriptions that the application sends; filters read them as ``stripe:…`` (§2, §3)."""

from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from halo_engine.contacts.calls import Call, Email, Identifier
from halo_engine.contacts.identifying.answers import ContactAnswer
from halo_engine.contacts.writing.people import Person
from halo_engine.contacts.writing.sources import STRIPE, STRIPE_USERS
from halo_engine.contacts.writing.upsert import write_contacts
from halo_engine.domain.errors import bad_input
from halo_engine.domain.fields.traits import ColumnValue
from halo_engine.domain.times.instants import parse_instant
from halo_engine.domain.values import check_text
from halo_engine.work import Work

#: In characters; Stripe's own names are shorter.
LONGEST_WORD: Final = 5000
_COLUMNS: Final = {
    "status": "stripe_subscription_status",
    "plan": "stripe_plan",
    "trial_end": "stripe_trial_end",
    "current_period_end": "stripe_current_period_end",
    "cancel_at_period_end": "stripe_cancel_at_period_end",
}


def _check_word(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        check_text(value, str(info.field_name))
    return value


#: Text of Stripe's: a status, the name of a plan.
Word = Annotated[str, Field(max_length=LONGEST_WORD), BeforeValidator(_check_word)]


class StripeSubscriptionCall(Call):
    """A subscription; ``user_id``, else ``email``, names its customer.

    What is left out stays as it was; ``null`` empties it. Dates without an offset are on the
    organisation's clock.
    """

    user_id: Identifier | None = None
    email: Email | None = None
    status: Word | None = None
    plan: Word | None = None
    trial_end: str | None = None
    current_period_end: str | None = None
    cancel_at_period_end: bool | None = None

    @model_validator(mode="after")
    def _is_somebodys(self) -> Self:
        if self.user_id is None and self.email is None:
            raise bad_input("user_id", "is required, unless there is an email", "missing_key")
        return self


def stripe_subscription(work: Work, call: StripeSubscriptionCall) -> ContactAnswer:
    """Store a customer's subscription; an unknown customer becomes a contact (contract §2).

    With a new ``user_id`` the lead of the address becomes that user. Series react; ``last_seen``
    stays. Raises 400 for a date that is not ISO 8601.
    """
    columns: dict[str, ColumnValue] = {
        column: _value(work, call, name)
        for name, column in _COLUMNS.items()
        if name in call.model_fields_set
    }
    if call.email is not None:
        columns["email"] = call.email
    source = STRIPE if call.user_id is None else STRIPE_USERS
    [written] = write_contacts(work, source, [Person(call.user_id, columns)])
    return ContactAnswer.of(written, ())


def _value(work: Work, call: StripeSubscriptionCall, name: str) -> ColumnValue:
    value: str | bool | None = getattr(call, name)
    if value is not None and name in ("trial_end", "current_period_end"):
        return parse_instant(value, work.org.zone, name)
    return value
