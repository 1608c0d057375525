"""Other names of our mails beside the Message-ID, by which replies and reports are matched (§2).

If a bounce domain is set, each mail has an envelope sender of its own (VERP), so the address that a
report is sent to says which mail it is about. The address holds the random part of the Message-ID,
which only those who got the mail know. A relay that replaces the Message-ID (Amazon SES) gives its
own id in its answer.
"""

import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

#: Some mail servers change local parts to capitals.
_BOUNCE_ADDRESS: Final = re.compile(r"\bbounce-([0-9a-f]{32})@", re.IGNORECASE)
_RELAY_ID: Final = re.compile(r"\b[0-9a-f]{8,16}(?:-[0-9a-f]{4,12}){4,6}-\d{6}\b")


def bounce_address(mail: UUID, domain: str) -> str:
    """Return the envelope sender of a mail, by the id that its Message-ID begins with."""
    return f"bounce-{mail.hex}@{domain}"


def mails_in_addresses(addresses: Iterable[str]) -> list[UUID]:
    """Return the mails whose bounce addresses these texts hold, each once."""
    found = [UUID(hex_) for address in addresses for hex_ in _BOUNCE_ADDRESS.findall(address)]
    return list(dict.fromkeys(found))


def relay_id_in(answer: str) -> str | None:
    """Return the id in a relay's answer that it will use as Message-ID; None if there is none.

    Only Amazon SES answers so: ``250 Ok 0102018f2a3b4c5d-…-000000``.
    """
    found = _RELAY_ID.search(answer)
    return found[0] if found else None


def relay_ids_in(message_ids: Iterable[str]) -> dict[str, str]:
    """Return the Message-IDs that a relay made, by the relay's id for the mail."""
    locals_ = {id_.strip("<>").partition("@")[0]: id_ for id_ in message_ids}
    return {local: id_ for local, id_ in locals_.items() if _RELAY_ID.fullmatch(local)}
