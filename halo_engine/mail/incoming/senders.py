"""The domains that organisations send from; an envelope sender does not tell it (§15)."""

from typing import Any

from sqlalchemy import Connection, Select, select

from halo_engine.domain.fields.addresses import mail_domain
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations


def sender_domains(connection: Connection) -> list[str]:
    """Return the domains of the organisations that send in their own name, in ASCII."""
    found = connection.execute(_read_sender_addresses()).scalars()
    return sorted({_domain(address) for address in found})


@statement("read_sender_addresses")
def _read_sender_addresses() -> Select[Any]:
    address = organizations.c.mail_from_address
    return select(address).where(address.is_not(None)).distinct()


def _domain(address: str) -> str:
    named = address.rpartition("@")[2]
    return mail_domain(named) or named
