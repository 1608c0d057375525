"""People to write: what a call says of a contact, checked (§2)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self
from uuid import UUID

from halo_engine.domain.traits import ColumnValue


@dataclass(frozen=True, slots=True)
class Person:
    """A contact as it comes to a door; no two of one set may be the same contact.

    ``columns`` holds the recognised traits, and ``stripe_*`` columns, that were given; None is a
    null. ``contact_id`` is for doors that find contacts by it. ``registered_by`` holds values that
    decide the types of custom fields in the registry, instead of those in ``custom``.
    """

    external_id: str | None = None
    columns: Mapping[str, ColumnValue] = field(default_factory=dict)
    custom: Mapping[str, object] = field(default_factory=dict)
    context: Mapping[str, object] = field(default_factory=dict)
    signed_up_at: datetime | None = None
    contact_id: UUID | None = None
    registered_by: Mapping[str, object] = field(default_factory=dict)

    def then(self, later: Self) -> Self:
        """Return this person after ``later`` was said of it too.

        Of two sign-up dates for a new contact the one said first counts for ``signed_up_at``.
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
        """Return this person with what is kept in these columns alone."""
        return replace(
            self,
            columns={name: value for name, value in self.columns.items() if name in columns},
            custom=self.custom if "custom_fields" in columns else {},
            context=self.context if "context" in columns else {},
        )
