"""Signatures of webhooks: an HMAC over an instant and the raw body (contract §12).

Stripe and Standard Webhooks (https://www.standardwebhooks.com) sign alike. What differs is what
stands before the body, how a digest is written, and what a secret's bytes are.
"""

import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from .responses import Problem

#: How far the sender's clock and ours may differ, including the time of a delivery.
TOLERANCE_SECONDS: Final = 300
_SECONDS: Final = re.compile(rb"[0-9]{1,12}")

Headers = Mapping[bytes, bytes]


class Signature(NamedTuple):
    """A webhook's signature: when it was signed, and the digests, one for each secret.

    ``before`` is the text that was signed in front of the body. ``delivery`` is the sender's id of
    the delivery, if the headers have one.
    """

    before: bytes
    signed_at: int
    digests: tuple[bytes, ...]
    delivery: str = ""

    def is_fresh(self, now: float) -> bool:
        """Return whether the signature is recent."""
        return abs(now - self.signed_at) <= TOLERANCE_SECONDS

    def is_by(self, secrets: Iterable[bytes], body: bytes | bytearray) -> bool:
        """Return whether a digest was made by one of the secrets, in constant time for each."""
        found = False
        for secret in secrets:
            mac = hmac.new(secret, self.before, hashlib.sha256)
            mac.update(body)
            for digest in self.digests:
                found |= hmac.compare_digest(mac.digest(), digest)
        return found


def stripe_signature(headers: Headers) -> Signature:
    """Read ``Stripe-Signature``: ``t=1700000000,v1=HEX,v1=HEX``; other schemes are ignored.

    Raises the 400 of a bad signature if the header is malformed.
    """
    pairs = [
        (name.strip(), value.strip())
        for name, _, value in (
            part.partition(b"=") for part in headers.get(b"stripe-signature", b"").split(b",")
        )
    ]
    at = next((value for name, value in pairs if name == b"t"), b"")
    digests = _decoded(binascii.a2b_hex, (value for name, value in pairs if name == b"v1"))
    return _signature(b"%s." % at, at, digests)


def standard_signature(headers: Headers) -> Signature:
    """Read the headers of Standard Webhooks: ``v1,BASE64``, several separated by blanks.

    Raises the 400 of a bad signature if the headers are malformed.
    """
    delivery = headers.get(b"webhook-id", b"")
    at = headers.get(b"webhook-timestamp", b"")
    given = (each.partition(b",") for each in headers.get(b"webhook-signature", b"").split())
    digests = _decoded(binascii.a2b_base64, (value for name, _, value in given if name == b"v1"))
    if not delivery:
        raise bad_signature()
    return _signature(b"%s.%s." % (delivery, at), at, digests, delivery.decode("latin-1"))


def bad_signature() -> Problem:
    """Return the 400 for any bad signature: it tells neither the fault nor whether the organisation
    exists.
    """
    problem = "The signature does not prove the sender; allowed is one by the secret that we know."
    return Problem(HTTPStatus.BAD_REQUEST, "bad_signature", problem)


def _signature(
    before: bytes, signed_at: bytes, digests: tuple[bytes, ...], delivery: str = ""
) -> Signature:
    if not _SECONDS.fullmatch(signed_at):
        raise bad_signature()
    return Signature(before, int(signed_at), digests, delivery)


def _decoded(decode: Callable[[bytes], bytes], written: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the digests that can be read."""
    found = []
    for each in written:
        try:
            found.append(decode(each))
        except ValueError:
            continue
    return tuple(found)
