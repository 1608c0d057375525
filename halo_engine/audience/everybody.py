"""Scan all contacts, in a way that PostgreSQL can run in parallel.

A subquery that refers to the contact of the scan (EXISTS, for example) prevents that. So what
belongs to a contact is joined instead.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    FromClause,
    Subquery,
    Table,
    Text,
    and_,
    func,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy.sql import visitors

from halo_engine.audience.compiler import Subject, value_of
from halo_engine.audience.lookups.firings import Firings, recent
from halo_engine.audience.lookups.memberships import looked_up, or_never
from halo_engine.audience.matching import scan
from halo_engine.domain.fields.catalogue import Entity, Field
from halo_engine.sql.parameters import parameter
from halo_engine.tables import companies, end_users, event_counts, suppressions

#: The OFFSET that keeps a subquery separate, so that its columns are computed once, however often
#: they are read. It is a bigint literal: an integer would still have to be cast when PostgreSQL
#: checks whether rows are skipped, and it runs nothing in parallel that may skip rows.
APART: Final = literal_column("'0'", BigInteger())

#: The path to a JSON value itself, which unpacks it into memory: a long value is stored compressed,
#: and would be unpacked at every read.
_ITSELF: Final[ColumnElement[Any]] = literal_column("'{}'::text[]")

#: Columns read of every contact, or by audiences without filters.
_OF_ALL: Final = frozenset({"org_id", "id", "company_id", "address", "email", "contact_type"})


class Everybody:
    """The organisation's contacts, each once, with what is read of them.

    ``subject`` is for filters on ``fields`` and for audiences of any type; ``suppressed`` says of
    each contact whether its address bounced or is unsubscribed from everything (contract §3).
    ``also`` names more columns of a contact; ``within`` are conditions on ``end_users``.
    """

    def __init__(
        self,
        fields: Iterable[Field],
        *,
        also: Collection[str] = (),
        within: tuple[ColumnElement[bool], ...] = (),
    ) -> None:
        read = {
            column
            for field in fields
            for column in visitors.iterate(value_of(field, _STORED))
            if isinstance(column, Column)
        }
        names = {
            table: frozenset(each.name for each in read if each.table is table)
            for table in (end_users, companies)
        }
        contact = _unpacked(end_users, names[end_users].union(_OF_ALL, also), within)
        company = _unpacked(companies, names[companies] | _OF_ALL)
        self._events: dict[str, FromClause] = {}
        self._recent: dict[Firings, FromClause] = {}
        self._members: dict[str, FromClause] = {}
        self._suppression = suppressions.alias("suppression")
        self.subject = Subject(
            contact,
            company,
            contact.c.custom_fields,
            company.c.custom_fields,
            self._times_fired,
            self._member_value,
        )
        self.suppressed = self._suppression.c.address.is_not(None)

    def scan(self, columns: Iterable[ColumnElement[Any]]) -> FromClause:
        """Return the FROM clause in which ``columns`` are computed: a row for each contact."""
        contact, suppression = self.subject.contact, self._suppression
        columns = list(columns)
        source = scan(self.subject, columns)
        if any(
            read is suppression.c.address for each in columns for read in visitors.iterate(each)
        ):
            source = source.outerjoin(
                suppression,
                and_(suppression.c.org_id == _ORG_ID, suppression.c.address == contact.c.address),
            )
        for name, fired in self._events.items():
            ever = and_(
                fired.c.org_id == _ORG_ID,
                fired.c.end_user_id == contact.c.id,
                fired.c.name == literal(name, Text()),
            )
            source = source.outerjoin(fired, ever)
        for counted in self._recent.values():
            source = source.join(counted, true())
        for found in self._members.values():
            source = source.outerjoin(found, true())
        return source

    def _member_value(self, field: Field) -> ColumnElement[Any]:
        looked = looked_up(field, _ORG_ID, self.subject.contact)
        found = self._members.setdefault(
            field.key, looked.lateral(f"membership_{len(self._members)}")
        )
        is_list = field.entity is Entity.LIST
        return found.c.stands.is_not(None) if is_list else or_never(found.c.stands)

    def _times_fired(self, firings: Firings) -> ColumnElement[int]:
        if firings.after is not None:
            # Looked up for each contact: grouped, all events of the name would be read.
            looked_up = recent(firings, _ORG_ID, self.subject.contact)
            counted = self._recent.setdefault(
                firings, looked_up.lateral(f"recent_{len(self._recent)}")
            )
            return counted.c.times
        fired = self._events.setdefault(
            firings.name, event_counts.alias(f"fired_{len(self._events)}")
        )
        return func.coalesce(fired.c.count, literal_column("0", BigInteger()))


_ORG_ID: Final = parameter("org_id")
_STORED: Final = Subject.of_contacts()


# One object for each set of columns: the compiler caches predicates by their subject.
@lru_cache(maxsize=256)
def _unpacked(
    table: Table, names: frozenset[str], within: tuple[ColumnElement[bool], ...] = ()
) -> Subquery:
    """Return the organisation's rows of ``table``, their custom fields unpacked once."""
    columns = [each for each in table.c if each.name in names - {"custom_fields"}]
    fields = table.c.custom_fields.op("#>")(_ITSELF).label("custom_fields")
    unpacked = select(*columns, fields).where(table.c.org_id == _ORG_ID, *within)
    return unpacked.offset(APART).subquery(f"unpacked_{table.name}")
