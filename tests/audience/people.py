"""Contacts with the values a test is about, and which of them a filter means."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, insert, select

from halo_engine.audience.compiler import Subject, expression_predicate, predicate
from halo_engine.audience.matching import matches, scan
from halo_engine.audience.moments import Moment
from halo_engine.domain.fields.expressions import parse_expression
from halo_engine.domain.fields.filter_groups import parse_groups
from halo_engine.tables import companies, end_users, event_counts, events
from halo_engine.work import Work
from tests.audience.evaluator import Person
from tests.audience.strategies import ACCOUNT, CONTACT
from tests.contacts.sandbox import EARLIER, NOW, add_contact

#: psycopg prepares a statement at its 5th execution, PostgreSQL plans it for all parameters at its
#: 10th: what fails only then fails here.
EXECUTIONS = 12

#: Both ways of reading custom fields.
SUBJECTS = (Subject.of_contacts(), Subject.of_contacts(reads=9))


class People:
    """The contacts of one organisation, each with a name of its own."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.ids: dict[str, UUID] = {}

    @property
    def connection(self) -> Connection:
        """The connection of the test's transaction."""
        return self.work.connection

    def add(self, who: str, /, **columns: Any) -> None:
        """Write a contact, a user unless ``external_id`` is None."""
        self.ids[who] = add_contact(self.work, columns.pop("external_id", who), **columns)

    def add_with(self, column: str, /, **values: Any) -> None:
        """Write a contact for each name, with its value in ``column``."""
        for who, value in values.items():
            self.add(who, **{column: value})

    def add_traits(self, key: str, /, **values: Any) -> None:
        """Write a contact for each name, with its value in the custom field ``key``."""
        for who, value in values.items():
            self.add(who, custom_fields={key: value})

    def add_company(self, external_id: str, **columns: Any) -> UUID:
        """Write a company."""
        row = {
            "org_id": self.work.org_id,
            "external_id": external_id,
            "created_at": EARLIER,
            "updated_at": EARLIER,
            **columns,
        }
        made = insert(companies).values(row).returning(companies.c.id)
        company_id: UUID = self.connection.execute(made).scalar_one()
        return company_id

    def fire(self, who: str, event: str, times: int) -> None:
        """Count ``times`` firings of the event for the contact."""
        counted = self._count(self.ids[who], event, times)
        self.connection.execute(insert(event_counts).values(counted))

    def passing(self, field: str, operator: str, value: Any, **moment: Any) -> str:
        """Return the names of the contacts that pass one filter, sorted, with spaces between."""
        item = {"field": field, "operator": operator, "value": value}
        return self.in_groups([[item]], **moment)

    def in_groups(self, groups: Sequence[Any], now: datetime = NOW, zone: str = "UTC") -> str:
        """Return the names of the contacts for whom the filter groups hold."""
        parsed = parse_groups(groups, "audience_filters")
        return self._agreed(predicate(parsed, subject, Moment(now, zone)) for subject in SUBJECTS)

    def for_whom(self, expression: str, now: datetime = NOW, zone: str = "UTC") -> str:
        """Return the names of the contacts for whom a ``user_property`` expression holds."""
        parsed = parse_expression(expression)
        return self._agreed(
            expression_predicate(parsed, subject, Moment(now, zone)) for subject in SUBJECTS
        )

    def _agreed(self, predicates: Iterable[ColumnElement[bool]]) -> str:
        """Return the names that both subjects give, on each of the executions."""
        answers = {
            self.where(subject, held)
            for subject, held in zip(SUBJECTS, predicates, strict=True)
            for _ in range(EXECUTIONS)
        }
        (answer,) = answers
        return answer

    def where(self, subject: Subject, held: ColumnElement[bool]) -> str:
        """Return the names of the contacts for whom a predicate holds."""
        found = self.connection.scalars(
            select(end_users.c.id)
            .select_from(scan(subject, [held]))
            .where(end_users.c.org_id == self.work.org_id, held)
        ).all()
        return " ".join(sorted(name for name, id_ in self.ids.items() if id_ in found))

    def matching(
        self, subject: Subject, predicates: Sequence[ColumnElement[bool]]
    ) -> dict[UUID, list[int]]:
        """Return for each contact the numbers of the predicates that hold, found in one scan."""
        statement = (
            select(end_users.c.id, matches(list(enumerate(predicates))).label("numbers"))
            .select_from(scan(subject, predicates))
            .where(end_users.c.org_id == self.work.org_id)
        )
        return {row.id: row.numbers for row in self.connection.execute(statement)}

    @contextmanager
    def holding(self, population: Iterable[Person]) -> Iterator[dict[UUID, Person]]:
        """Write these contacts and their companies, and take them back at the end."""
        persons = {uuid4(): person for person in population}
        accounts = {id(each.company): each.company for each in persons.values() if each.company}
        ids = {key: uuid4() for key in accounts}
        rows = [
            (companies, [self._row(ids[key], each, ACCOUNT) for key, each in accounts.items()]),
            (
                end_users,
                [
                    {
                        **self._row(id_, each, CONTACT),
                        "external_id": each.columns["external_id"],
                        "company_id": ids.get(id(each.company)),
                        "source": "sdk",
                        "first_seen": EARLIER,
                    }
                    for id_, each in persons.items()
                ],
            ),
            (
                event_counts,
                [
                    self._count(id_, event, times)
                    for id_, each in persons.items()
                    for event, times in each.events.items()
                ],
            ),
            (
                events,
                [
                    self._firing(id_, event, at)
                    for id_, each in persons.items()
                    for event, instants in each.fired.items()
                    for at in instants
                ],
            ),
        ]
        with self.connection.begin_nested() as savepoint:
            for table, written in rows:
                if written:
                    self.connection.execute(insert(table), written)
            yield persons
            savepoint.rollback()

    def _row(self, id_: UUID, person: Person, columns: Iterable[str]) -> dict[str, Any]:
        """Return a value for every column: rows written together must name the same ones."""
        return {
            **{name.replace(":", "_"): _stored(person.columns.get(name)) for name in columns},
            "org_id": self.work.org_id,
            "id": id_,
            "external_id": str(id_),
            "custom_fields": dict(person.custom),
            "created_at": EARLIER,
            "updated_at": EARLIER,
        }

    def _firing(self, contact_id: UUID, event: str, at: datetime) -> dict[str, Any]:
        row = {"org_id": self.work.org_id, "end_user_id": contact_id, "name": event}
        return {**row, "happened_at": at, "created_at": at, "live": True}

    def _count(self, contact_id: UUID, event: str, times: int) -> dict[str, Any]:
        return {
            "org_id": self.work.org_id,
            "end_user_id": contact_id,
            "name": event,
            "count": times,
            "first_at": EARLIER,
            "last_at": EARLIER,
        }


def _stored(value: Any) -> Any:
    """Return a column's value: a number with its digits, which a double would lose on its way."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(repr(value)) if is_number else value
