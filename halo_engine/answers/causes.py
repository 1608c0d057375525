"""What keeps an audience from matching, and what is advised about it (contract §10)."""

from enum import StrEnum

from pydantic import JsonValue

from halo_engine.answers.shape import Answer
from halo_engine.answers.stored import StoredValue


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
    """One cause, the field that it is about if it is about one, how many contacts, and a text.

    ``values`` are those seen most in the field, ``near`` those that may have been meant: with one
    of them in its place the filter passes somebody. Of an event they are the fields that count
    events of a near name.
    """

    cause: Cause
    field: str | None = None
    contacts: int | None = None
    values: tuple[StoredValue, ...] = ()
    near: tuple[JsonValue, ...] = ()
    text: str
