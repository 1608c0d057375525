"""User tokens signed like a customer's backend does, on the virtual clock (contract §2)."""

from datetime import datetime, timedelta
from typing import Any

import jwt


def signed(claims: dict[str, Any], secret: str, now: datetime, lasts: timedelta) -> str:
    """Return the claims signed with HS256; ``exp`` defaults to ``lasts`` from now."""
    return jwt.encode({"exp": int((now + lasts).timestamp()), **claims}, secret, algorithm="HS256")
