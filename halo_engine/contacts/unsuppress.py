"""An operator lifts a suppression by name: nothing else lifts a bounce (contract §2, §3)."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, Text, delete, func, select, true, update

from halo_engine import audit
from halo_engine.contacts.address_hashes import CAUSES, hash_of
from halo_engine.contacts.calls import Answer, Call, Identifier
from halo_engine.contacts.finding import named_contacts
from halo_engine.contacts.parameters import given_rows, values_of
from halo_engine.contacts.silent import SUPPRESSION_KEY, tell
from halo_engine.contacts.suppression import namesakes
from halo_engine.domain.errors import bad_input, not_found, shown
from halo_engine.domain.instants import format_instant
from halo_engine.tables import bounce_reports, erased_suppressions, messages, suppressions
from halo_engine.work import Work


class UnsuppressCall(Call):
    """Whose suppression is lifted, why, and by whom.

    ``contact`` is a ``user_id``, or an email: of a lead, or any address that is suppressed, also of
    a contact that was erased.
    """

    contact: Identifier
    because: Identifier
    by: Identifier = "operator"


class Unsuppressed(Answer):
    """The contact, None if the address is no contact's, and the causes that were lifted.

    ``lifted`` maps each cause to its instant. If nothing was suppressed it is empty, and nothing
    was written.
    """

    id: UUID | None
    lifted: Mapping[str, str]


def unsuppress(work: Work, call: UnsuppressCall, via: audit.Via) -> Unsuppressed:
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
    audit.note(
        work,
        by=call.by,
        via=via,
        action="contacts.unsuppress",
        target=None if contact_id is None else str(contact_id),
        before=dict(lifted),
        after={"because": call.because},
    )
    return Unsuppressed(id=contact_id, lifted=lifted)


def _addressed(work: Work, name: str) -> tuple[UUID | None, str]:
    """Return the contact of that name and its address; or the address itself, in lower case."""
    given = given_rows({"place": Integer(), "contact": Text()})
    named = named_contacts(given)
    found = work.connection.execute(
        select(
            named.c.contact_id, named.c.address, func.lower(given.c.contact).label("itself")
        ).select_from(given.outerjoin(named, true())),
        values_of(work, [{"place": 0, "contact": name}]),
    ).one()
    if found.contact_id is None:
        if "@" not in name:
            raise not_found("contact", name)
        return None, found.itself
    if found.address is None:
        problem = f"{shown(name)} has no email; allowed is a contact that has one"
        raise bad_input("contact", problem, "no_email")
    return found.contact_id, found.address


def _lift(work: Work, address: str) -> dict[str, str]:
    """Delete an address's suppression, or the hash kept of it; return its causes."""
    table, erased = suppressions, erased_suppressions
    wanted = [(table, table.c.address == address)]
    if work.org.address_key is not None:
        wanted.append((erased, erased.c.address_hash == hash_of(address, work.org.address_key)))
    lifted: dict[str, datetime] = {}
    for each, is_it in wanted:
        gone = delete(each).where(each.c.org_id == work.org_id, is_it)
        causes = work.connection.execute(gone.returning(*[each.c[name] for name in CAUSES]))
        for row in causes.mappings():
            lifted = {**{name: at for name, at in row.items() if at is not None}, **lifted}
    return {name: format_instant(at) for name, at in lifted.items()}


def _forgive(work: Work, address: str) -> None:
    mails = select(messages.c.recipient_id).where(
        messages.c.org_id == work.org_id, func.lower(messages.c.to_address) == address
    )
    work.connection.execute(
        update(bounce_reports)
        .where(
            bounce_reports.c.org_id == work.org_id,
            bounce_reports.c.recipient_id.in_(mails),
            bounce_reports.c.forgiven_at.is_(None),
        )
        .values(forgiven_at=work.now)
    )


def _tell(work: Work, address: str) -> None:
    given = given_rows({"place": Integer(), "address": Text()})
    concerned = namesakes(given).cte("concerned")
    told = tell(concerned, SUPPRESSION_KEY)
    work.connection.execute(select(told.c.id), values_of(work, [{"place": 0, "address": address}]))
