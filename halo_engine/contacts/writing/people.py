"""People: the checked data of a contact that a call gives (§2)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self
from uuid import UUID

from halo_engine.contacts.sending_order import fields_said
from halo_engine.domain.fields.traits import ColumnValue
from halo_engine.domain.times.instants import format_instant


@dataclass(frozen=True, slots=True)
class Person:
    """A contact as a source gives it; no two of one set may be the same contact.

    ``columns`` holds the recognised traits, and ``stripe_*`` columns, that were given; None is a
    null. ``contact_id`` is for sources that find by it. ``registered_by`` holds values that
    decide the types of custom fields in the registry, instead of those in ``custom``.
    ``sent_at`` is when the call was sent, if that is known.
    """

    external_id: str | None = None
    columns: Mapping[str, ColumnValue] = field(default_factory=dict)
    custom: Mapping[str, object] = field(default_factory=dict)
    context: Mapping[str, object] = field(default_factory=dict)
    signed_up_at: datetime | None = None
    contact_id: UUID | None = None
    registered_by: Mapping[str, object] = field(default_factory=dict)
    sent_at: datetime | None = None

    def then(self, later: Self) -> Self:
        """Return this person merged with ``later`` data.

        Of two sign-up dates for a new contact the first counts for ``signed_up_at``.
        """
        return replace(
            self,
            external_id=self.external_id or later.external_id,
            registered_by={**later.registered_by, **self.registered_by},
            columns={**self.columns, **later.columns},
            custom={**self.custom, **later.custom},
            context={**self.context, **later.context},
        )

    def limited_to(self, columns: Collection[str]) -> Self:
        """Return this person with the data of these columns only."""
        return replace(
            self,
            columns={name: value for name, value in self.columns.items() if name in columns},
            custom=self.custom if "custom_fields" in columns else {},
            context=self.context if "context" in columns else {},
        )


def as_json(ordinal: int, person: Person) -> dict[str, object]:
    """Return a person as a row of the statements that write contacts."""
    signed_up_at = person.signed_up_at
    return {
        "ordinal": ordinal,
        "signed_up_at": format_instant(signed_up_at) if signed_up_at else None,
        "contact_id": str(person.contact_id) if person.contact_id else None,
        "external_id": person.external_id,
        "columns": {
            name: format_instant(value) if isinstance(value, datetime) else value
            for name, value in person.columns.items()
        },
        "custom_fields": person.custom,
        "context": person.context,
        "sent_at": format_instant(person.sent_at) if person.sent_at else None,
        "fields": fields_said(person.columns, person.custom, person.context),
    }
