"""The causes that keep an audience from matching, and the advice about them (contract §10)."""

from enum import StrEnum

from pydantic import JsonValue

from halo_engine.answers.reports.stored import StoredValue
from halo_engine.domain.answer import Answer


class Cause(StrEnum):
    """What keeps an audience from matching."""

    NO_CONTACTS = "no_contacts"
    CONTACT_TYPE = "contact_type"
    SUPPRESSION = "suppression"
    NO_ADDRESS = "no_address"
    NO_LIST = "no_list"
    EMPTY_LIST = "empty_list"
    NO_FILTER = "no_filter"
    FIELD_NEVER_SENT = "field_never_sent"
    FIELD_OFTEN_MISSING = "field_often_missing"
    SIGNED_UP_AT_EMPTY = "signed_up_at_empty"
    LOOK_ALIKE_FIELD = "look_alike_field"
    EMPTY_STRIPE_SET = "empty_stripe_set"
    EMPTY_COMPANY_SET = "empty_company_set"
    OTHER_TYPE = "other_type"
    NOBODY_PASSES = "nobody_passes"
    EVENT_NEVER_FIRED = "event_never_fired"
    NEVER_TOGETHER = "never_together"
    STILL_A_DRAFT = "still_a_draft"


class Advice(Answer):
    """One cause, with its field if it has one, the number of contacts, and a text.

    ``values`` are the field's most frequent values. ``near`` are values that may have been meant:
    with one of them the filter passes somebody. For an event, ``near`` are fields that count events
    of similar names.
    """

    cause: Cause
    field: str | None = None
    contacts: int | None = None
    values: tuple[StoredValue, ...] = ()
    near: tuple[JsonValue, ...] = ()
    text: str
