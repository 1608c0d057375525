"""Check a contact's data as callers give it, and make it ready to be written (contract §2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from halo_engine.contacts.writing.people import Person
from halo_engine.contacts.writing.revenue import without_stripes
from halo_engine.domain.fields.traits import split_traits
from halo_engine.work import Organization


@dataclass(frozen=True, slots=True)
class ReadPerson:
    """A person to write, and the warnings for the answer."""

    person: Person
    warnings: tuple[str, ...]


def read_person(
    org: Organization,
    external_id: str | None,
    traits: object,
    context: Mapping[str, object] | None = None,
    *,
    sent_at: datetime | None = None,
) -> ReadPerson:
    """Check a contact's traits and context; raises a 400 for the first thing refused (§2)."""
    split = split_traits(traits, org.zone, context)
    (columns, custom), warnings = without_stripes(org, split)
    signed_up_at = columns.get("signed_up_at")
    person = Person(
        external_id,
        columns,
        custom,
        context or {},
        signed_up_at if isinstance(signed_up_at, datetime) else None,
        sent_at=sent_at,
    )
    return ReadPerson(person, warnings)


def warnings_of(readings: Iterable[ReadPerson]) -> tuple[str, ...]:
    """Return the warnings of a batch, each once."""
    return tuple(dict.fromkeys(warning for each in readings for warning in each.warnings))
