"""Who sends a mail: the installation, or the organisation where it says so (contract §9, §15)."""

import re
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from email_validator import validate_email

from halo_engine.domain.errors import shown
from halo_engine.domain.fields.traits import is_plain_address
from halo_engine.domain.mail_names import bounce_address
from halo_engine.mail.composing.links import LinkBases
from halo_engine.work import Organization

#: Where text would begin to read as encoded text.
ENCODED_WORD: Final = re.compile(r"=(?=\?)")


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of mail: its name, its address, and the base URLs of its links.

    Replies go to ``reply_to`` if it is set, reports to ``bounce_domain``; else both go to the
    address. Raises ValueError if mail cannot be sent from the address.
    """

    name: str
    address: str
    bases: LinkBases = field(default_factory=LinkBases)
    bounce_domain: str | None = None
    reply_to: str | None = None

    def __post_init__(self) -> None:
        checked_address(self.address)

    def of(self, org: Organization) -> "Sender":
        """Return the sender of an organisation's mail: what it sets, else this one's (§15)."""
        return replace(
            self,
            name=org.mail_from_name or self.name,
            address=org.mail_from_address or self.address,
            bounce_domain=org.mail_bounce_domain or self.bounce_domain,
            reply_to=org.mail_reply_to or self.reply_to,
        )

    @property
    def domain(self) -> str:
        """The domain of our Message-IDs."""
        return checked_address(self.address).rpartition("@")[2]

    def envelope(self, mail: UUID) -> str:
        """Return the envelope sender of a mail, which gets the reports about it."""
        if self.bounce_domain is None:
            return checked_address(self.address)
        return bounce_address(mail, self.bounce_domain)


def checked_address(address: str) -> str:
    """Return the address as ASCII; raises ValueError if no server would accept it."""
    if is_plain_address(address):
        return address
    if ENCODED_WORD.search(address):
        raise ValueError(f"{shown(address)} would read as encoded text")
    found = validate_email(address, check_deliverability=False, globally_deliverable=False)
    if found.ascii_email is None:
        raise ValueError(f"{shown(address)}: the part before the @-sign is not ASCII")
    return address if address.isascii() else found.ascii_email
