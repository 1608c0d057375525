"""A contact of a scenario follows the link of the mail that asks it to confirm a list (§16)."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.errors import not_found
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.mail.incoming.confirmations import Confirmation, confirm
from halo_engine.mail.incoming.links import LinkCall
from halo_engine.sql.statements import statement
from halo_engine.tables import confirmations, end_users, subscriptions
from halo_engine.work import Work


class ConfirmCall(Call):
    """The contact, and the key of the list, that the latest mail to its address asked about."""

    contact: Identifier
    list: Identifier


def follow_confirmation(work: Work, call: ConfirmCall) -> Confirmation:
    """Confirm the list as the button of the page does; a 404 if no mail asked the contact."""
    [contact_id] = find_contacts(work, [call.contact])
    asked = work.connection.scalar(_rehearsal_find_confirmation(work, contact_id, call.list))
    if asked is None:
        raise not_found("mail", call.list)
    token = MailToken(Purpose.CONFIRM, work.org_id, asked).signed(work.org.mail_key)
    return confirm(work, LinkCall(token=token))


@statement("rehearsal_find_confirmation")
def _rehearsal_find_confirmation(work: Work, contact_id: UUID, list_key: str) -> Select[Any]:
    mail, lists, contact = confirmations, subscriptions, end_users
    return (
        select(mail.c.id)
        .where(
            mail.c.org_id == work.org_id,
            lists.c.org_id == mail.c.org_id,
            lists.c.id == mail.c.subscription_id,
            lists.c.key == list_key,
            contact.c.org_id == mail.c.org_id,
            contact.c.id == contact_id,
            contact.c.address == mail.c.address,
        )
        .order_by(mail.c.id.desc())
        .limit(1)
    )
