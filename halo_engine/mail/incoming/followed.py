"""Note a set of links of mails that were followed, and who opened them (contract §5, §16).

An open is noted at once. A link that was followed is kept until it is known which others of its
mail were followed beside it; ``scanning`` then says whether a machine did.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Insert,
    Integer,
    LargeBinary,
    Select,
    any_,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.machines import is_proxy_opening
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.mail.incoming.events import MailEvent, event_by, note_mails
from halo_engine.sql.metadata import INSTANT
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import followed_links, messages
from halo_engine.work import Work

_HASH_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Followed:
    """A link that was followed: its verified token, when, and by which user agent.

    ``machine``: the request itself says that no person made it.
    """

    token: MailToken
    at: datetime
    agent: str = ""
    machine: bool = False


def note_followed(work: Work, followed: Sequence[Followed]) -> None:
    """Note who opened, and keep what else was followed until it is judged; mails that are gone are
    passed over.
    """
    opens = [each for each in followed if each.token.purpose is Purpose.OPEN]
    if opens:
        _note_opens(work, opens)
    links = [each for each in followed if each.token.purpose is not Purpose.OPEN]
    if links:
        work.connection.execute(_keep_followed_links(work, links))


def _note_opens(work: Work, opens: Sequence[Followed]) -> None:
    ids = sorted({each.token.recipient_id for each in opens})
    mails = {row.recipient_id: row for row in work.connection.execute(_read_mails(work, ids))}
    noted: dict[MailEvent, list[tuple[str, datetime]]] = {}
    for each in opens:
        mail = mails.get(each.token.recipient_id)
        if mail is None:
            continue
        machine = each.machine or is_proxy_opening(each.agent, each.at, mail.sent_at)
        event = event_by(MailEvent.OPENED, machine=machine)
        noted.setdefault(event, []).append((mail.message_id, each.at))
    for event, some in noted.items():
        note_mails(event, work, some)


@statement("read_opened_mails", ids=[1])
def _read_mails(work: Work, ids: Sequence[int]) -> Select[Any]:
    return select(messages.c.recipient_id, messages.c.message_id, messages.c.sent_at).where(
        messages.c.org_id == work.org_id,
        messages.c.recipient_id == any_(literal(list(ids), ARRAY(BigInteger()))),
    )


@statement("keep_followed_links", links=())
def _keep_followed_links(work: Work, links: Iterable[Followed]) -> Insert:
    links = list(links)
    given = rows_of(
        "given",
        {
            "ordinal": (Integer(), range(len(links))),
            "recipient_id": (BigInteger(), [each.token.recipient_id for each in links]),
            "link": (LargeBinary(), [_hashed(each.token) for each in links]),
            "at": (INSTANT, [each.at for each in links]),
            "machine": (Boolean(), [each.machine for each in links]),
            "is_click": (Boolean(), [each.token.purpose is Purpose.CLICK for each in links]),
        },
    )
    # A mail that is being erased is waited for, and then passed over.
    there = (
        select(messages.c.recipient_id)
        .where(
            messages.c.org_id == work.org_id,
            messages.c.recipient_id.in_(select(given.c.recipient_id)),
        )
        .with_for_update(key_share=True, read=True)
        .cte("there")
    )
    names = ["recipient_id", "link", "at", "machine", "is_click"]
    rows = (
        select(
            literal(work.org_id, followed_links.c.org_id.type),
            *[given.c[name] for name in names],
            literal(work.now, INSTANT),
        )
        .where(given.c.recipient_id.in_(select(there.c.recipient_id)))
        .order_by(given.c.ordinal)
    )
    columns = ["org_id", *names, "noted_at"]
    return insert(followed_links).from_select(columns, rows, include_defaults=False)


def _hashed(token: MailToken) -> bytes:
    return sha256(bytes([token.purpose]) + token.about).digest()[:_HASH_BYTES]
