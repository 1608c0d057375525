"""Secrets of Standard Webhooks, as they are written: `whsec_` and a key in base64.

See https://www.standardwebhooks.com; a key is random, and of 24 bytes or more.
"""

import base64
import binascii
import secrets
from typing import Final

_BEGIN: Final = "whsec_"
_SHORTEST: Final = 24
#: In bytes, of the keys that we make.
_OURS: Final = 32
_MOST: Final = 2


def new_webhook_secret() -> str:
    """Return a new random secret."""
    return f"{_BEGIN}{base64.b64encode(secrets.token_bytes(_OURS)).decode()}"


def webhook_secrets(given: str) -> tuple[bytes, ...]:
    """Return the keys of one secret, or of two with a comma between them.

    Raises ValueError for what is none, which does not repeat it.
    """
    keys = tuple(_key(each.strip()) for each in given.split(","))
    if len(keys) > _MOST:
        raise ValueError(f"has too many secrets; allowed are {_MOST}")
    return keys


def _key(secret: str) -> bytes:
    try:
        written = secret.removeprefix(_BEGIN).encode("ascii")
        key = binascii.a2b_base64(written + b"=" * (-len(written) % 4), strict_mode=True)
    except ValueError:
        key = b""
    if not secret.startswith(_BEGIN) or len(key) < _SHORTEST:
        problem = f"is no secret of Standard Webhooks; allowed is {_BEGIN} and {_SHORTEST} bytes"
        raise ValueError(f"{problem} or more in base64")
    return key
