"""The preference page of a mail's reader: leave lists, join them again, or leave all (§16)."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field
from sqlalchemy import Select, func, select

from halo_engine.contacts.consent.choosing import (
    Topic,
    hold_reader,
    join_by_mail,
    topics_of_reader,
)
from halo_engine.contacts.consent.lists import leave_by_mail
from halo_engine.domain.answer import Answer
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.mail.incoming.links import LinkCall, Looked, look_at_link
from halo_engine.sql.statements import statement
from halo_engine.tables import mail_readers, suppressions
from halo_engine.work import Work

#: That a choice may name.
MOST_LISTS: Final = 1_000


#: JSON has no tuples.
_Keys = Annotated[tuple[str, ...], Field(strict=False, max_length=MOST_LISTS)]


class Preferences(Answer):
    """What a mail's reader can choose.

    ``looked`` is what its link is for. ``topics`` are the lists that the contact is or was on, by
    name. ``gets_mail`` says whether the address gets any; if it ``bounced``, no choice changes
    that.
    """

    looked: Looked
    topics: tuple[Topic, ...]
    gets_mail: bool
    bounced: bool


class ChooseCall(LinkCall):
    """The lists to be on from now on, of those that were ``shown`` (all that the contact is or was
    on, where that is left out); or ``everything`` is left.

    Lists that the contact never was on are passed over.
    """

    lists: _Keys = ()
    shown: _Keys | None = None
    everything: bool = False


class Chosen(Answer):
    """Who chose, and the lists that it joined and left by that."""

    id: UUID | None
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def look_at_preferences(work: Work, call: LinkCall) -> Preferences:
    """Return what a reader can choose, and change nothing; raises 401 as the functions of links."""
    token = _verified(work, call)
    looked = look_at_link(work, call)
    causes = work.connection.execute(_read_causes_of_mail(work, token.recipient_id)).one_or_none()
    return Preferences(
        looked=looked,
        topics=tuple(topics_of_reader(work, token.recipient_id).values()),
        gets_mail=looked.address is not None and causes is None,
        bounced=causes is not None and causes.bounced_at is not None,
    )


@statement("read_causes_of_mail")
def _read_causes_of_mail(work: Work, row_id: int) -> Select[datetime | None]:
    table = suppressions
    return (
        select(table.c.bounced_at)
        .join_from(mail_readers, table, table.c.org_id == mail_readers.c.org_id)
        .where(
            mail_readers.c.org_id == work.org_id,
            mail_readers.c.recipient_id == row_id,
            table.c.address == func.lower(mail_readers.c.to_address),
        )
    )


def choose(work: Work, call: ChooseCall) -> Chosen:
    """Leave and join lists as a mail's reader chose, or leave everything (contract §16).

    It reacts as any unsubscribe and subscribe. Only a POST may do this. Raises 401 as the functions
    of links. Of an erased contact nothing is written.
    """
    recipient_id = _verified(work, call).recipient_id
    contact_id = hold_reader(work, recipient_id)
    if contact_id is None:
        return Chosen(id=None)
    topics = topics_of_reader(work, recipient_id)
    if call.everything:
        leave_by_mail(work, recipient_id, None)
        left = tuple(each.list for each in topics.values() if each.joined)
        return Chosen(id=contact_id, left=left)
    shown = [*topics.items()]
    if call.shown is not None:
        shown = [(id_, topic) for id_, topic in shown if topic.list in call.shown]
    wanted = {id_ for id_, topic in shown if topic.list in call.lists}
    leaves = {id_: topic.list for id_, topic in shown if topic.joined and id_ not in wanted}
    joins = {id_: topic.list for id_, topic in shown if not topic.joined and id_ in wanted}
    if leaves:
        leave_by_mail(work, recipient_id, *leaves)
    if joins:
        join_by_mail(work, recipient_id, list(joins))
    return Chosen(id=contact_id, joined=tuple(joins.values()), left=tuple(leaves.values()))


def _verified(work: Work, call: LinkCall) -> MailToken:
    return MailToken.verified(call.token, work.org.mail_key, Purpose.UNSUBSCRIBE)
