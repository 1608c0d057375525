"""The values stored in the fields of the newest contacts, counted by type and value (§3)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import (
    CTE,
    ColumnElement,
    ScalarSelect,
    Select,
    Subquery,
    Text,
    and_,
    case,
    column,
    func,
    literal,
    literal_column,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.audience.compiler import Subject, value_of
from halo_engine.domain.answer import Answer
from halo_engine.domain.fields.catalogue import COLUMNS, Entity, FieldType, resolve
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users
from halo_engine.work import Work

#: How many contacts are sampled, and how many values of a field are listed.
SAMPLE: Final = 5_000
MOST_VALUES: Final = 20
#: A longer value is counted, not listed.
LONGEST_VALUE: Final = 200

#: The prefix of each entity's columns in field names.
COLUMN_PREFIXES: Final[Mapping[Entity, str]] = MappingProxyType(
    {Entity.CONTACT: "", Entity.COMPANY: "company.", Entity.STRIPE: "stripe:"}
)
#: Personal fields: their values are not listed.
_PERSONAL: Final = ("email", "name", "external_id", "company.name", "company.external_id")


class StoredValue(Answer):
    """A value, and how many sampled contacts have it."""

    value: JsonValue
    contacts: int


@dataclass(slots=True)
class StoredValues:
    """One field: the number of values by JSON type, and the most frequent values."""

    types: dict[str, int] = field(default_factory=dict)
    values: list[StoredValue] = field(default_factory=list)


def stored_values(work: Work) -> tuple[int, dict[str, StoredValues]]:
    """Return the number of contacts, and what is stored in each field of the newest ones.

    The ``SAMPLE`` newest contacts are read, so the cost does not grow with the organisation.
    """
    seen: dict[str, StoredValues] = defaultdict(StoredValues)
    contacts = 0
    for row in work.connection.execute(_looking(work.org_id)):
        match row.kind:
            case "contacts":
                contacts = row.contacts
            case "type":
                seen[row.name].types[row.value] = int(row.contacts)
            case "value":
                value = StoredValue(value=row.value, contacts=row.contacts)
                seen[row.name].values.append(value)
    return contacts, dict(seen)


@statement("sample_stored_values")
def _looking(org_id: UUID) -> Select[Any]:
    """Build the statement: rows of ``kind``, ``name``, ``value`` and the number of ``contacts``."""
    stored = _stored_pairs(_newest(org_id))
    type_ = func.jsonb_typeof(stored.c.value)
    is_short = func.length(stored.c.value.cast(Text)) <= LONGEST_VALUE
    nameless = sorted({*_PERSONAL, *_dates()})
    # The cheapest test comes first; it settles most values.
    is_named = and_(
        stored.c.name.not_in(nameless), type_.in_(("string", "number", "boolean")), is_short
    )
    counted = (
        select(
            stored.c.name,
            type_.label("type"),
            case((is_named, stored.c.value), else_=null()).label("value"),
            func.count().label("contacts"),
        )
        .where(type_ != literal_column("'null'"))
        .group_by(stored.c.name, literal_column("2"), literal_column("3"))
        .cte("counted")
    )
    rank = func.row_number().over(
        partition_by=counted.c.name,
        order_by=(counted.c.contacts.desc(), counted.c.value.cast(Text)),
    )
    ranked = (
        select(counted, rank.label("rank")).where(counted.c.value.is_not(None)).subquery("ranked")
    )
    everybody = select(func.count()).where(end_users.c.org_id == org_id).scalar_subquery()
    answers = _rows_of_each_kind(everybody, counted, ranked)
    return select(
        answers.c.kind,
        answers.c.name,
        answers.c.value.cast(JSONB).label("value"),
        answers.c.contacts,
    ).order_by(answers.c.name, answers.c.rank)


def _rows_of_each_kind(everybody: ScalarSelect[int], counted: CTE, ranked: Subquery) -> Subquery:
    """Build the rows: one of all contacts, one for each type of a field, one for each value."""
    return union_all(
        select(
            literal_column("'contacts'").label("kind"),
            literal_column("''").label("name"),
            literal_column("'null'::jsonb").label("value"),
            everybody.label("contacts"),
            literal_column("0").label("rank"),
        ),
        select(
            literal_column("'type'"),
            counted.c.name,
            func.to_jsonb(counted.c.type),
            func.sum(counted.c.contacts),
            literal_column("0"),
        ).group_by(counted.c.name, counted.c.type),
        select(
            literal_column("'value'"),
            ranked.c.name,
            ranked.c.value,
            ranked.c.contacts,
            ranked.c.rank,
        ).where(ranked.c.rank <= MOST_VALUES),
    ).subquery("answers")


def _newest(org_id: UUID) -> CTE:
    """Return the sampled contacts: their columns and custom fields, and their companies'."""
    subject = Subject.of_contacts()

    def document(entities: Iterable[Entity]) -> ColumnElement[Any]:
        targets = [
            resolve(f"{COLUMN_PREFIXES[entity]}{name}")
            for entity in entities
            for name in COLUMNS[entity]
        ]
        parts = [(literal(each.name, Text()), value_of(each, subject)) for each in targets]
        return func.jsonb_build_object(*(part for pair in parts for part in pair))

    contact, company = subject.contact, subject.company
    newest = (
        select(contact.c.id)
        .where(contact.c.org_id == org_id)
        .order_by(contact.c.created_at.desc(), contact.c.id.desc())
        .limit(SAMPLE)
        .subquery("newest")
    )
    is_its = and_(company.c.org_id == contact.c.org_id, company.c.id == contact.c.company_id)
    has_company = company.c.id.is_not(None)
    return (
        select(
            document((Entity.CONTACT, Entity.STRIPE)).label("columns"),
            contact.c.custom_fields.label("custom"),
            case((has_company, document((Entity.COMPANY,)))).label("company_columns"),
            company.c.custom_fields.label("company_custom"),
        )
        .select_from(
            newest.join(
                contact, and_(contact.c.org_id == org_id, contact.c.id == newest.c.id)
            ).outerjoin(company, is_its)
        )
        .cte("looked_at")
    )


def _stored_pairs(looked_at: CTE) -> CTE:
    """Return a row for each stored value: the field's ``name`` and the ``value``."""
    documents = {
        "columns": "",
        "custom": "custom:",
        "company_columns": "",
        "company_custom": "company.custom:",
    }
    selects = []
    for document, prefix in documents.items():
        pair = func.jsonb_each(looked_at.c[document]).table_valued(
            column("key", Text()), column("value", JSONB()), name=f"pair_of_{document}"
        )
        name = literal(prefix, Text()).op("||")(pair.c.key)
        selects.append(
            select(name.label("name"), pair.c.value).select_from(looked_at.join(pair, true()))
        )
    return union_all(*selects).cte("stored")


def _dates() -> Sequence[str]:
    return [
        f"{prefix}{name}"
        for entity, prefix in COLUMN_PREFIXES.items()
        for name, type_ in COLUMNS[entity].items()
        if type_ is FieldType.DATE
    ]
