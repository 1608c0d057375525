"""Addresses that get no mail: bounced, complained, or unsubscribed from everything (§3)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import model_validator
from sqlalchemy import (
    CTE,
    Column,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.finding import Noted, named_contacts, only, unknown_mail
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.contacts.silent import tell
from halo_engine.domain.errors import Refusal, bad_input, not_found, shown
from halo_engine.domain.series.triggers import SUPPRESSION_KEY
from halo_engine.domain.times.retention import History
from halo_engine.series.histories import complete_since
from halo_engine.sql.prepared import Prepared, prepared
from halo_engine.tables import end_users, messages, suppressions
from halo_engine.work import Work


class AddressCall(Call):
    """A contact, or the Message-ID of a mail to it."""

    contact: Identifier | None = None
    message_id: Identifier | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.contact is None) == (self.message_id is None):
            raise bad_input("contact", "allowed is either a contact or a message_id", "bad_call")
        return self


class BounceCall(AddressCall):
    """A contact whose address bounced, or the Message-ID of the mail that came back."""


class ComplaintCall(AddressCall):
    """A contact who reported spam, or the Message-ID of the reported mail."""


def bounce(work: Work, call: BounceCall) -> Noted:
    """Suppress an address for good; exits react for every contact that has it (contract §3, §6).

    Of a mail it is the address that it was sent to. Raises 404 for an unknown contact or mail, 400
    for a contact without an address; nothing is written then.
    """
    return only(bounce_all, work, call)


def bounce_all(work: Work, calls: Sequence[BounceCall]) -> list[Noted | Refusal]:
    """Suppress a set of addresses, in one statement; a refused call is left out alone."""
    return noted_addresses(work, _bouncing(), calls)


def noted_addresses(
    work: Work, statement: Prepared, calls: Sequence[AddressCall]
) -> list[Noted | Refusal]:
    """Run a statement that returns the rows of ``found_addresses`` for these calls.

    Returns an outcome for each call, in order: 404 for an unknown contact or mail, 400 for a
    contact without an address.
    """
    given = [{"ordinal": ordinal, **call.model_dump()} for ordinal, call in enumerate(calls)]
    rows = statement.rows(work.connection, values_of(work, given))
    found = {row["ordinal"]: row for row in rows}
    since = complete_since(work, History.MAILS) if len(found) < len(calls) else None
    outcomes: list[Noted | Refusal] = []
    for ordinal, call in enumerate(calls):
        if ordinal not in found:
            outcomes.append(_unknown(call, since))
        elif found[ordinal]["address"] is None:
            problem = f"{shown(call.contact)} has no email; allowed is a contact that has one"
            outcomes.append(bad_input("contact", problem, "no_email"))
        else:
            outcomes.append(Noted(id=found[ordinal]["contact_id"]))
    return outcomes


def _unknown(call: AddressCall, since: datetime | None) -> Refusal:
    if call.message_id is not None:
        return unknown_mail(f"There is no mail {shown(call.message_id)}.", since)
    return not_found("contact", str(call.contact))


def found_addresses() -> CTE:
    """Return ``found``: ``ordinal``, ``contact_id`` and ``address`` of each call that has a
    contact.

    Of a mail it is the address that it was sent to.
    """
    given = given_rows({"ordinal": Integer(), "contact": Text(), "message_id": Text()})
    is_it = and_(messages.c.org_id == ORG_ID, messages.c.message_id == given.c.message_id)
    of_mails = select(
        given.c.ordinal,
        messages.c.end_user_id.label("contact_id"),
        func.lower(messages.c.to_address).label("address"),
    ).select_from(given.join(messages, is_it))
    return select(named_contacts(given)).union_all(of_mails).cte("found")


@prepared("suppress_bounced")
def _bouncing() -> Select[Any]:
    found = found_addresses()
    return select(found).add_cte(
        suppress(found, suppressions.c.bounced_at),
        tell(namesakes(found).cte("concerned"), SUPPRESSION_KEY),
    )


def suppress(addressed: FromClause, *causes: Column[Any]) -> CTE:
    """Suppress the ``address`` of each row; of each cause, a column, the first instant is kept."""
    names = [cause.name for cause in causes]
    rows = (
        select(ORG_ID, addressed.c.address, *[NOW.label(name) for name in names])
        .distinct()
        .where(addressed.c.address.is_not(None))
        .order_by(addressed.c.address)
    )
    new = insert(suppressions).from_select(["org_id", "address", *names], rows)
    return new.on_conflict_do_update(
        index_elements=["org_id", "address"],
        set_={cause.name: func.coalesce(cause, new.excluded[cause.name]) for cause in causes},
    ).cte("suppressed")


def namesakes(addressed: FromClause) -> Select[Any]:
    """Return ``ordinal`` and ``contact_id`` of every contact that has the ``address`` of a row."""
    is_namesake = and_(end_users.c.org_id == ORG_ID, end_users.c.address == addressed.c.address)
    return select(addressed.c.ordinal, end_users.c.id.label("contact_id")).select_from(
        addressed.join(end_users, is_namesake)
    )
