"""What calls of doors have in common: their base class, and the types of their fields (§2)."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from halo_engine.domain.errors import bad_input
from halo_engine.domain.fields.catalogue import LONGEST_NAME, check_name
from halo_engine.domain.fields.traits import LONGEST_ID, check_email, check_external_id
from halo_engine.domain.values import check_json


class Call(BaseModel):
    """A call of a door: frozen; an unknown key is a 400 that names the known ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _check_identifier(value: object, info: ValidationInfo) -> object:
    return None if value is None else check_external_id(value, str(info.field_name))


def _check_email(value: object, info: ValidationInfo) -> object:
    return None if value is None else check_email(value, str(info.field_name))


def _check_event(value: object, info: ValidationInfo) -> str:
    return check_name(str(info.field_name), value)


def _check_object(value: object, info: ValidationInfo) -> object:
    if value is None:
        return {}
    check_json(value, str(info.field_name))
    return value


def _instant_as_text(value: object) -> object:
    is_aware = isinstance(value, datetime) and value.tzinfo is not None
    return value.isoformat() if is_aware else value  # type: ignore[attr-defined]


def described_as(type_: Any) -> BeforeValidator:
    """Make a field's schema describe it as ``type_``, the type as which it is read later."""
    return BeforeValidator(lambda value: value, json_schema_input_type=type_)


#: 1 to 255 characters, not blank, without NUL and lone surrogates.
Identifier = Annotated[
    str, Field(min_length=1, max_length=LONGEST_ID), BeforeValidator(_check_identifier)
]
Email = Annotated[str, BeforeValidator(_check_email)]
EventName = Annotated[
    str, Field(min_length=1, max_length=LONGEST_NAME), BeforeValidator(_check_event)
]
#: When a call was sent, by its sender's clock: ISO 8601, or an aware datetime.
SentAt = Annotated[str | None, BeforeValidator(_instant_as_text)]
#: Any JSON object that PostgreSQL can keep; ``null`` is an empty one.
JsonObject = Annotated[dict[str, Any], BeforeValidator(_check_object)]


class PersonCall(Call):
    """A person: a user if ``user_id`` is given, else a lead with an ``email``; and traits."""

    user_id: Identifier | None = None
    email: Email | None = None
    traits: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if self.user_id is None and self.email is None:
            raise bad_input("user_id", "is required, unless there is an email", "missing_key")
        return self
