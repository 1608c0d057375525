"""What a mail of ours is called by beside its Message-ID, so that what comes back is matched (§2).

Where a bounce domain is set, each mail's envelope sender names it (VERP): a report comes to an
address that says which mail it is about. It is the Message-ID's random part, which only who got the
mail knows. And a relay that puts a Message-ID of its own (Amazon SES) says it in its answer.
"""

import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

#: Some mail servers write local parts in capitals.
_BOUNCE_ADDRESS: Final = re.compile(r"\bbounce-([0-9a-f]{32})@", re.IGNORECASE)
_RELAY_ID: Final = re.compile(r"\b[0-9a-f]{8,16}(?:-[0-9a-f]{4,12}){4,6}-\d{6}\b")


def bounce_address(mail: UUID, domain: str) -> str:
    """Return the envelope sender of a mail, by the id that its Message-ID begins with."""
    return f"bounce-{mail.hex}@{domain}"


def mails_in_addresses(addresses: Iterable[str]) -> list[UUID]:
    """Return the mails whose bounce addresses are among these, each once."""
    found = [UUID(hex_) for address in addresses for hex_ in _BOUNCE_ADDRESS.findall(address)]
    return list(dict.fromkeys(found))


def relay_id_in(answer: str) -> str | None:
    """Return what a relay calls a mail in its answer, if it will put that into the Message-ID.

    ``250 Ok 0102018f2a3b4c5d-…-000000`` is Amazon SES's; other answers hold no such id.
    """
    found = _RELAY_ID.search(answer)
    return found[0] if found else None


def relay_ids_in(message_ids: Iterable[str]) -> dict[str, str]:
    """Return those of the Message-IDs that are a relay's, by what it called the mail."""
    locals_ = {id_.strip("<>").partition("@")[0]: id_ for id_ in message_ids}
    return {local: id_ for local, id_ in locals_.items() if _RELAY_ID.fullmatch(local)}
