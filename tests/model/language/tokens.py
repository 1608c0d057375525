"""User tokens, given as claims: the model checks what they say, not how they are signed (§2)."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.model.language.clock import parse_instant
from tests.model.language.refusals import RefusedError, refuse_unless

LEEWAY = timedelta(seconds=60)


def _expiry(claims: dict[str, Any], now: datetime, default: timedelta) -> datetime:
    value = claims.get("exp")
    if value is None:
        return now + default
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, tz=now.tzinfo)
    try:
        return parse_instant(value, ZoneInfo("UTC"))
    except ValueError:
        raise RefusedError(401, "user_token: exp is no time") from None


def check_identity(secret: str | None, claims: Any, user_id: str, now: datetime) -> None:
    """Refuse an identify call whose token does not prove its user (contract §2).

    `secret` None switches verification off; a token without `exp` is signed for an hour.
    """
    if secret is None:
        return
    refuse_unless(isinstance(claims, dict), 401, "user_token is required")
    proves = isinstance(claims.get("user_id"), str) and claims["user_id"] == user_id
    refuse_unless(proves, 401, "user_token: user_id does not match")
    current = _expiry(claims, now, timedelta(hours=1)) > now - LEEWAY
    refuse_unless(current, 401, "user_token has expired")


def check_update_scope(secret: str | None, claims: Any, now: datetime) -> None:
    """Refuse an update without a short-lived token of scope `users.update` (contract §2).

    Claims None stand for the token that a scenario signs by itself.
    """
    refuse_unless(secret is not None, 401, "an identity secret is needed")
    ahead = timedelta(minutes=5)
    signed = {"scope": "users.update", "exp": (now + ahead).timestamp()}
    given = signed if claims is None else claims
    refuse_unless(given.get("scope") == "users.update", 401, "user_token: scope users.update")
    refuse_unless(given.get("exp") is not None, 401, "user_token: exp is required")
    expiry = _expiry(given, now, ahead)
    refuse_unless(now - LEEWAY < expiry <= now + ahead + LEEWAY, 401, "user_token: exp")
