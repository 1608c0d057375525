"""Ask a cell's own database whose something is: a secret key, a session, a widget key, a mail."""

import hmac
from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, Table, or_, select

from halo_engine.domain.values import is_storable_text
from halo_engine.mail.incoming.receive import organization_written_to
from halo_engine.mail.incoming.senders import sender_domains
from halo_engine.mail.reading.incoming_mail import read_mail
from halo_engine.operators.keys import hash_of, prefix_of
from halo_engine.sql.statements import statement
from halo_engine.tables import operator_keys, operator_sessions, organizations, sign_in_links
from halo_engine.work import OrgRef

#: Returns the organisation's id, in a cell's own database; None if it is nobody's there.
Question = Callable[[Connection], UUID | None]


def of_key(key: str) -> Question:
    """Ask whose operator key it is, also of one that was revoked or has expired."""
    prefix, hashed = prefix_of(key), hash_of(key)

    def ask(connection: Connection) -> UUID | None:
        found = (
            connection.execute(_find_owner_of_key(prefix)).one_or_none()
            if is_storable_text(prefix)
            else None
        )
        return found.org_id if found and hmac.compare_digest(found.hash, hashed) else None

    return ask


@statement("find_owner_of_key")
def _find_owner_of_key(key_prefix: str) -> Select[Any]:
    table = operator_keys
    return select(table.c.org_id, table.c.hash).where(table.c.prefix == key_prefix)


def of_session(session: str) -> Question:
    """Ask whose session of the panel it is."""
    return _hashed(operator_sessions, session)


def of_link(token: str) -> Question:
    """Ask to whose panel a link leads that signs in."""
    return _hashed(sign_in_links, token)


def _hashed(table: Table, secret: str) -> Question:
    return lambda connection: connection.scalar(_find_owner_by_hash(table, hash_of(secret)))


@statement("find_owner_by_hash", table=operator_sessions)
def _find_owner_by_hash(table: Table, key_hash: bytes) -> Select[Any]:
    return select(table.c.org_id).where(table.c.hash == key_hash)


def of_name(org: OrgRef) -> Question:
    """Ask for an organisation by its id, its key, or a widget key that works."""
    table = organizations
    if org.id is not None:
        return lambda connection: connection.scalar(_find_owner(table.c.id == org.id))
    name = org.key if org.key is not None else str(org.widget_key)
    if not is_storable_text(name):
        return lambda _: None
    by = table.c.key == name if org.key is not None else _bears(name)
    return lambda connection: connection.scalar(_find_owner(by))


def _bears(widget_key: str) -> ColumnElement[bool]:
    table = organizations
    return or_(table.c.widget_key == widget_key, table.c.old_widget_key == widget_key)


@statement("find_owner", by=organizations.c.key == "org-key")
def _find_owner(by: ColumnElement[bool]) -> Select[Any]:
    return select(organizations.c.id).where(by)


def of_mail(raw: bytes, sender_domain: str) -> Question:
    """Ask about whose mail a raw mail (RFC 5322) is; ``sender_domain`` is the installation's."""
    mail = read_mail(raw)

    def ask(connection: Connection) -> UUID | None:
        domains = sender_domains(connection) if mail.mails else ()
        named = mail.under(sender_domain, *domains) if mail.mails else mail
        return organization_written_to(connection, named)

    return ask
