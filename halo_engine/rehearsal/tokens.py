"""User tokens, signed as a customer's backend signs them, on the virtual clock (contract §2)."""

from datetime import datetime, timedelta
from typing import Any

import jwt


def signed(claims: dict[str, Any], secret: str, now: datetime, lasts: timedelta) -> str:
    """Return the claims signed with HS256; ``exp`` is ``lasts`` from now unless it is given."""
    return jwt.encode({"exp": int((now + lasts).timestamp()), **claims}, secret, algorithm="HS256")
