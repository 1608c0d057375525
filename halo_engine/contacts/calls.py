"""What calls of doors have in common: their shape, and the types of what they carry (§2)."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from halo_engine.domain.fields import LONGEST_NAME, check_name
from halo_engine.domain.traits import LONGEST_ID, check_email, check_external_id
from halo_engine.domain.values import check_json


class Call(BaseModel):
    """A call of a door: frozen, and an unknown key is refused with those that are known (400)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Answer(BaseModel):
    """What a door answers; ``model_dump(mode="json")`` is what a task returns."""

    model_config = ConfigDict(frozen=True)


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
