"""What the doors that write contacts answer with (contract §2)."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Self
from uuid import UUID

from halo_engine.contacts.writing.sources import DOCUMENTS
from halo_engine.contacts.writing.written import WrittenContact
from halo_engine.domain.answer import Answer
from halo_engine.domain.times.instants import Instant, format_instant


class ContactAnswer(Answer):
    """A contact as it is now: ids, contact type and instants, but none of its stored traits.

    ``user_id`` is the external ID, None for a lead; ``created``: this call made the contact.
    """

    id: UUID
    user_id: str | None
    contact_type: Literal["user", "lead"]
    created: bool
    created_at: Instant
    updated_at: Instant
    first_seen: Instant
    last_seen: Instant
    last_contacted_at: Instant | None
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, written: WrittenContact, warnings: Sequence[str], **more: object) -> Self:
        """Answer about a contact that was written; ``more`` are the fields of a subclass."""
        return cls.model_validate(
            {
                "id": written.id,
                "user_id": written.external_id,
                "contact_type": "lead" if written.external_id is None else "user",
                "created": written.created,
                "warnings": tuple(warnings),
                **written.instants,
                **more,
            }
        )


class Stored(Answer):
    """Everything that is stored of a contact, for a caller that proved who it is.

    ``traits`` holds recognised and custom ones alike, dates as answers show instants.
    """

    traits: dict[str, Any]
    context: dict[str, Any]

    @classmethod
    def of(cls, written: WrittenContact) -> Self:
        """Return the stored parts of a contact that was written with ``with_stored``."""
        custom, context = (written.stored[name] for name in DOCUMENTS)
        columns = {
            name: _as_json(value) for name, value in written.stored.items() if name not in DOCUMENTS
        }
        return cls(traits={**columns, **custom}, context=context)


def _as_json(value: object) -> object:
    match value:
        case datetime():
            return format_instant(value)
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
    return value
