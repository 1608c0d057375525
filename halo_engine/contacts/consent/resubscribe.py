"""A contact that unsubscribed from everything may be written to again (contract §13)."""

from typing import Any

from sqlalchemy import Integer, Select, Text, Uuid, cast, null, select

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.consent.lifting import lifting
from halo_engine.contacts.consent.list_order import noting
from halo_engine.contacts.consent.suppression import namesakes
from halo_engine.contacts.finding import Noted, named_contacts
from halo_engine.contacts.parameters import given_rows, values_of
from halo_engine.contacts.silent import tell
from halo_engine.domain.errors import not_found
from halo_engine.domain.series.triggers import SUPPRESSION_KEY
from halo_engine.sql.prepared import prepared
from halo_engine.work import Work


class ResubscribeCall(Call):
    """A contact, by ``user_id``, or by email where it has none."""

    contact: Identifier


def resubscribe(work: Work, call: ResubscribeCall) -> Noted:
    """Lift that a contact unsubscribed from everything; a bounce and a complaint stay (§2, §13).

    It joins no list. Raises 404 for an unknown contact.
    """
    given = [{"ordinal": 0, "contact": call.contact}]
    rows = _resubscribing().rows(work.connection, values_of(work, given))
    if not rows:
        raise not_found("contact", call.contact)
    return Noted(id=rows[0]["contact_id"])


@prepared("resubscribe")
def _resubscribing() -> Select[Any]:
    named = named_contacts(given_rows({"ordinal": Integer(), "contact": Text()}))
    of_no_list = select(named, cast(null(), Uuid()).label("list_id")).cte("of_no_list")
    return select(named).add_cte(
        *lifting(named),
        noting(of_no_list, joins=True),
        tell(namesakes(named).cte("concerned"), SUPPRESSION_KEY),
    )
