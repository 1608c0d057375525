"""The lists that a mail's reader is or was on, and joining them again (contract §16)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    cast,
    exists,
    func,
    or_,
    select,
)

from halo_engine.contacts.consent.lifting import lifting
from halo_engine.contacts.consent.membership import joining
from halo_engine.contacts.consent.suppression import namesakes
from halo_engine.contacts.parameters import ORG_ID, given_rows, values_of
from halo_engine.contacts.silent import tell
from halo_engine.domain.answer import Answer
from halo_engine.domain.series.triggers import SUPPRESSION_KEY
from halo_engine.sql.prepared import prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    end_users,
    former_members,
    mail_readers,
    subscription_members,
    subscriptions,
)
from halo_engine.work import Work


class Topic(Answer):
    """A list as the page shows it; ``joined`` says whether the contact is on it."""

    list: str
    name: str
    description: str | None
    joined: bool


def hold_reader(work: Work, recipient_id: int) -> UUID | None:
    """Lock the contact of a mail until the commit; return its id, None if it was erased.

    Of two choices at once the second one sees what the first one did.
    """
    held: UUID | None = work.connection.scalar(_hold_reader(work, recipient_id))
    return held


@statement("hold_reader")
def _hold_reader(work: Work, row_id: int) -> Select[Any]:
    return (
        select(end_users.c.id)
        .join_from(mail_readers, end_users, _is_reader())
        .where(mail_readers.c.org_id == work.org_id, mail_readers.c.recipient_id == row_id)
        .with_for_update(of=end_users)
    )


def topics_of_reader(work: Work, recipient_id: int) -> dict[UUID, Topic]:
    """Return the lists that the contact of a mail is or was on, by id, in the order of names."""
    rows = work.connection.execute(_read_topics_of_reader(work, recipient_id)).mappings()
    return {row["id"]: Topic(**{name: row[name] for name in Topic.model_fields}) for row in rows}


@statement("read_topics_of_reader")
def _read_topics_of_reader(work: Work, row_id: int) -> Select[Any]:
    lists = subscriptions
    joined, was_on_it = (_is_on(table) for table in (subscription_members, former_members))
    name = func.coalesce(lists.c.name, lists.c.key)
    return (
        select(
            lists.c.id,
            lists.c.key.label("list"),
            name.label("name"),
            lists.c.description,
            joined.label("joined"),
        )
        .join_from(mail_readers, lists, lists.c.org_id == mail_readers.c.org_id)
        .where(
            mail_readers.c.org_id == work.org_id,
            mail_readers.c.recipient_id == row_id,
            or_(joined, was_on_it),
        )
        .order_by(func.lower(name), lists.c.key)
    )


def _is_on(table: FromClause) -> ColumnElement[bool]:
    return exists().where(
        table.c.org_id == mail_readers.c.org_id,
        table.c.end_user_id == mail_readers.c.end_user_id,
        table.c.subscription_id == subscriptions.c.id,
    )


def _is_reader() -> ColumnElement[bool]:
    return and_(
        end_users.c.org_id == mail_readers.c.org_id, end_users.c.id == mail_readers.c.end_user_id
    )


def join_by_mail(work: Work, recipient_id: int, list_ids: Sequence[UUID]) -> None:
    """Put the contact of a mail on lists: it asked for that itself.

    This lifts an unsubscription, and a complaint from the address that the mail went to; never a
    bounce. The caller has locked the contact.
    """
    given = [
        {"ordinal": 0, "recipient_id": recipient_id, "list_id": str(list_id)}
        for list_id in list_ids
    ]
    for each in (_lifting_by_mail(), _joining_by_mail()):
        each.rows(work.connection, values_of(work, given))


@prepared("lift_by_mail")
def _lifting_by_mail() -> Select[Any]:
    found = _addressed(func.lower(mail_readers.c.to_address)).cte("found")
    return select(found).add_cte(
        *lifting(found, complaints=True),
        tell(namesakes(found).cte("concerned"), SUPPRESSION_KEY),
    )


@prepared("subscribe_by_mail")
def _joining_by_mail() -> Select[Any]:
    found = _addressed(end_users.c.address).cte("found")
    return joining(found, found)


def _addressed(address: ColumnElement[Any]) -> Select[Any]:
    """Return the mail's contact with each list that is given, and an address of it."""
    given = given_rows({"ordinal": Integer(), "recipient_id": BigInteger(), "list_id": Uuid()})
    is_mail = and_(
        mail_readers.c.org_id == ORG_ID, mail_readers.c.recipient_id == given.c.recipient_id
    )
    return select(
        given.c.ordinal,
        end_users.c.id.label("contact_id"),
        address.label("address"),
        cast(given.c.list_id, Text).label("list"),
        given.c.list_id,
    ).select_from(given.join(mail_readers, is_mail).join(end_users, _is_reader()))
