"""Signed tokens in the links of a mail (§9).

A token holds a purpose, an organisation, a mail, a subject (a list, or a link's URL), and an
HMAC-SHA256 over all of that, cut to 128 bits. It does not expire: an unsubscribe link must work as
long as somebody keeps the mail. What may be confirmed, the database knows.
"""

import hashlib
import hmac
from base64 import b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from struct import Struct
from typing import Final, Self
from uuid import UUID

from halo_engine.domain.errors import Refusal, unauthorized

#: In bytes, of an organisation's key.
KEY_BYTES: Final = 32
#: The recipient id in a sample: a mail that is only shown, or sent as a test.
NOBODYS_MAIL: Final = 0
#: In bytes; longer links are not tracked, because servers limit the length of URLs.
LONGEST_URL: Final = 2000

_HEAD: Final = Struct(">B16sq")
_MAC_BYTES: Final = 16
_LONGEST_TOKEN: Final = 4 * (_HEAD.size + LONGEST_URL + _MAC_BYTES + 2) // 3


class Purpose(IntEnum):
    """The only use that a token allows. The numbers are part of tokens."""

    UNSUBSCRIBE = 1
    OPEN = 2
    CLICK = 3
    CONFIRM = 4


@dataclass(frozen=True, slots=True)
class MailToken:
    """The content of a token.

    ``about`` is the id of the list that unsubscribing leaves (empty: everything), or the URL that a
    click leads to. A token to confirm holds the id of a confirmation for that of a recipient.
    """

    purpose: Purpose
    org_id: UUID
    recipient_id: int
    about: bytes = b""

    @property
    def list_id(self) -> UUID | None:
        """The list that is left; None for everything."""
        return UUID(bytes=self.about) if self.about else None

    @property
    def url(self) -> str:
        """Where a click leads."""
        return self.about.decode()

    def signed(self, key: bytes) -> str:
        """Return the token as it stands in a URL."""
        return signed_token(self.purpose, self.org_id, self.recipient_id, self.about, key)

    @classmethod
    def verified(cls, text: str, key: bytes, *purposes: Purpose) -> Self:
        """Return the token if ``key`` signed it for one of the purposes; else raise a 401."""
        said, mac = _cut(text)
        if not hmac.compare_digest(mac, _mac(said, key)):
            raise bad_token()
        number, org, recipient_id = _HEAD.unpack_from(said)
        if number not in purposes:
            raise bad_token()
        return cls(Purpose(number), UUID(bytes=org), recipient_id, said[_HEAD.size :])


def signed_token(
    purpose: Purpose, org_id: UUID, recipient_id: int, about: bytes, key: bytes
) -> str:
    """Return a token of this content as it stands in a URL."""
    said = _HEAD.pack(purpose, org_id.bytes, recipient_id) + about
    return urlsafe_b64encode(said + _mac(said, key)).rstrip(b"=").decode()


def organization_of(text: str) -> UUID:
    """Return the organisation in a token, still unverified; raises a 401 if it is no token."""
    said, _ = _cut(text)
    return UUID(bytes=_HEAD.unpack_from(said)[1])


def bad_token() -> Refusal:
    """Make the 401 for a token that is not ours, or for another purpose."""
    problem = "token: it is not one of this installation for this; allowed is one from a mail's URL"
    return unauthorized("bad_token", problem)


def _mac(said: bytes, key: bytes) -> bytes:
    mac = _begun(key).copy()
    mac.update(said)
    return mac.digest()[:_MAC_BYTES]


@lru_cache(maxsize=256)
def _begun(key: bytes) -> hmac.HMAC:
    """Return the signature of nothing yet: to begin anew for each link of a mail takes longer."""
    # A shorter key would sign as well, and be guessed.
    assert len(key) == KEY_BYTES
    return hmac.new(key, digestmod=hashlib.sha256)


def _cut(text: str) -> tuple[bytes, bytes]:
    """Return a token's content and its signature; raises a 401 if it is no token."""
    if len(text) > _LONGEST_TOKEN or not text.isascii():
        raise bad_token()
    try:
        token = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except Error:
        raise bad_token() from None
    # Several texts decode to these bytes; only one is the token.
    is_as_written = urlsafe_b64encode(token).rstrip(b"=").decode() == text
    if len(token) < _HEAD.size + _MAC_BYTES or not is_as_written:
        raise bad_token()
    return token[:-_MAC_BYTES], token[-_MAC_BYTES:]
