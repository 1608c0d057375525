"""Let an operator lift a suppression by name; nothing else lifts a bounce (contract §2, §3)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Executable,
    Integer,
    Select,
    Text,
    Update,
    delete,
    func,
    select,
    true,
    update,
)

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.consent.address_hashes import CAUSES, hash_of
from halo_engine.contacts.consent.suppression import namesakes
from halo_engine.contacts.finding import named_contacts
from halo_engine.contacts.parameters import given_rows, values_of
from halo_engine.contacts.silent import tell
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import bad_input, not_found, shown
from halo_engine.domain.series.triggers import SUPPRESSION_KEY
from halo_engine.domain.times.instants import format_instant
from halo_engine.sql.prepared import prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import bounce_reports, erased_suppressions, messages, suppressions
from halo_engine.work import Work


class UnsuppressCall(Call):
    """The contact or address whose suppression to lift, and why.

    ``contact`` is a ``user_id``, or an email: of a lead, or any address that is suppressed, also of
    a contact that was erased.
    """

    contact: Identifier
    because: Identifier


class Unsuppressed(Answer):
    """The contact, None if the address is no contact's, and the causes that were lifted.

    ``lifted`` maps each cause to its instant. If nothing was suppressed it is empty, and nothing
    was written.
    """

    id: UUID | None
    lifted: Mapping[str, str]


def unsuppress(work: Work, call: UnsuppressCall) -> Unsuppressed:
    """Lift all that suppresses an address; exits and audiences react (contract §2, §3).

    Full-mailbox reports about it no longer count. Raises 404 for an unknown contact, 400 for one
    without an address.
    """
    contact_id, address = _addressed(work, call.contact)
    lifted = _lift(work, address)
    if not lifted:
        return Unsuppressed(id=contact_id, lifted={})
    _forgive(work, address)
    _tell(work, address)
    return Unsuppressed(id=contact_id, lifted=lifted)


def _addressed(work: Work, name: str) -> tuple[UUID | None, str]:
    """Return the contact of that name and its address; or the address itself, in lower case."""
    [found] = _find_address().rows(
        work.connection, values_of(work, [{"ordinal": 0, "contact": name}])
    )
    if found["contact_id"] is None:
        if "@" not in name:
            raise not_found("contact", name)
        return None, found["itself"]
    if found["address"] is None:
        problem = f"{shown(name)} has no email; allowed is a contact that has one"
        raise bad_input("contact", problem, "no_email")
    return found["contact_id"], found["address"]


@prepared("find_address")
def _find_address() -> Select[Any]:
    given = given_rows({"ordinal": Integer(), "contact": Text()})
    named = named_contacts(given)
    return select(
        named.c.contact_id, named.c.address, func.lower(given.c.contact).label("itself")
    ).select_from(given.outerjoin(named, true()))


def _lift(work: Work, address: str) -> dict[str, str]:
    """Delete an address's suppression, or the hash kept of it; return its causes."""
    lifting: list[Executable] = [_lift_suppression(work, address)]
    if work.org.address_key is not None:
        lifting.append(_lift_hash(work, hash_of(address, work.org.address_key)))
    lifted: dict[str, datetime] = {}
    for each in lifting:
        causes = work.connection.execute(each)
        for row in causes.mappings():
            lifted = {**{name: at for name, at in row.items() if at is not None}, **lifted}
    return {name: format_instant(at) for name, at in lifted.items()}


@statement("lift_suppression")
def _lift_suppression(work: Work, address: str) -> Executable:
    table = suppressions
    gone = delete(table).where(table.c.org_id == work.org_id, table.c.address == address)
    return gone.returning(*[table.c[name] for name in CAUSES])


@statement("lift_hash")
def _lift_hash(work: Work, address_hash: bytes) -> Executable:
    table = erased_suppressions
    gone = delete(table).where(table.c.org_id == work.org_id, table.c.address_hash == address_hash)
    return gone.returning(*[table.c[name] for name in CAUSES])


def _forgive(work: Work, address: str) -> None:
    work.connection.execute(_forgive_bounces(work, address))


@statement("forgive_bounces")
def _forgive_bounces(work: Work, address: str) -> Update:
    # Looked up from each report, which are few: no index finds the mails that went to an address.
    went_to = (
        select(func.lower(messages.c.to_address))
        .where(
            messages.c.org_id == bounce_reports.c.org_id,
            messages.c.recipient_id == bounce_reports.c.recipient_id,
        )
        .scalar_subquery()
    )
    return (
        update(bounce_reports)
        .where(
            bounce_reports.c.org_id == work.org_id,
            bounce_reports.c.forgiven_at.is_(None),
            went_to == address,
        )
        .values(forgiven_at=work.now)
    )


def _tell(work: Work, address: str) -> None:
    _signal_suppression().rows(
        work.connection, values_of(work, [{"ordinal": 0, "address": address}])
    )


@prepared("signal_suppression")
def _signal_suppression() -> Select[Any]:
    given = given_rows({"ordinal": Integer(), "address": Text()})
    concerned = namesakes(given).cte("concerned")
    marked = tell(concerned, SUPPRESSION_KEY)
    return select(marked.c.id)
