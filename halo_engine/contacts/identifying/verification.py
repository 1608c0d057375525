"""User tokens: JWTs, HS256, signed with the organisation's identity secret (contract §2)."""

import math
from datetime import timedelta
from typing import Any, Final, NamedTuple

import jwt

from halo_engine.domain.errors import Refusal, unauthorized
from halo_engine.work import Organization, Work

LEEWAY: Final = timedelta(seconds=60)
FURTHEST_EXPIRY: Final = timedelta(minutes=5)
UPDATE_SCOPE: Final = "users.update"
#: Bounds of an ``exp``, in seconds since 1970: it may be an integer that no float can hold.
_NEVER: Final = 1e15

# ``exp`` is compared with the engine's clock; the other registered claims are ignored. A secret
# shorter than the hash (RFC 7518: 32 bytes) verifies nobody.
_DECODER: Final = jwt.PyJWT(
    options={
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
        "verify_aud": False,
        "verify_iss": False,
        "verify_sub": False,
        "verify_jti": False,
        "enforce_minimum_key_length": True,
    }
)


class Proof(NamedTuple):
    """Whether a proof that the caller is the user ``is_given``, and ``until`` when it holds, in
    seconds since 1970. If verification is off, none is given, and that holds for ever.
    """

    is_given: bool
    until: float = math.inf


#: For a caller who has proved in another way that it may speak for any user.
PROVEN_OTHERWISE: Final = Proof(is_given=True)


def proof_of(org: Organization, token: str | None, user_id: str) -> Proof:
    """Return the proof that ``token`` gives. If verification is on, a token that is missing, wrong
    or another user's raises a 401.
    """
    if org.identity_secret is None:
        return Proof(is_given=False)
    claims = _claims(org.identity_secret, token)
    claimed = claims.get("user_id")
    if not isinstance(claimed, str) or claimed != user_id:
        raise _wrong("its user_id must be the user_id of the call, as text")
    if "exp" not in claims:
        return Proof(is_given=True)
    expiry = max(-_NEVER, min(_expiry(claims), _NEVER))
    return Proof(is_given=True, until=expiry + LEEWAY.total_seconds())


def verify_user(work: Work, token: str | None, user_id: str) -> bool:
    """Return whether ``token`` proves that the caller is the user; False if verification is off.

    If it is on, a token that is missing, wrong, another user's or expired raises a 401.
    """
    proof = proof_of(work.org, token, user_id)
    if proof.until <= work.now.timestamp():
        raise _expired()
    return proof.is_given


def verify_update_scope(work: Work, token: str | None) -> None:
    """Raise a 401 unless ``token`` allows an update now (contract §2, Update).

    It says ``scope: users.update`` and expires within 5 minutes. Without an identity secret nobody
    may update.
    """
    if work.org.identity_secret is None:
        problem = "user_token: updates need an identity secret, and the organisation has none"
        raise unauthorized("identity_secret_required", problem)
    claims = _claims(work.org.identity_secret, token)
    if claims.get("scope") != UPDATE_SCOPE:
        raise _wrong(f"its scope must be {UPDATE_SCOPE}")
    expiry = _expiry(claims)
    if expiry <= (work.now - LEEWAY).timestamp():
        raise _expired()
    if expiry > (work.now + FURTHEST_EXPIRY + LEEWAY).timestamp():
        raise _wrong("its exp must be at most 5 minutes ahead")


def verify_user_or_update(work: Work, token: str | None, user_id: str | None) -> None:
    """Raise a 401 unless ``token`` proves the user, or allows updates now (contract §12).

    If verification is off, no token is needed.
    """
    secret = work.org.identity_secret
    if secret is None:
        return
    if user_id is None or _claims(secret, token).get("scope") == UPDATE_SCOPE:
        verify_update_scope(work, token)
    else:
        verify_user(work, token, user_id)


def _claims(secret: str, token: str | None) -> dict[str, Any]:
    if token is None:
        problem = (
            "user_token: is required; allowed is a JWT, HS256, signed with the identity secret"
        )
        raise unauthorized("user_token_required", problem)
    try:
        return _DECODER.decode(token, secret, algorithms=["HS256"])
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise _wrong("it must be a JWT, HS256, signed with the identity secret") from None


def _expiry(claims: dict[str, Any]) -> float:
    expiry: object = claims.get("exp")
    match expiry:
        case bool():
            pass
        case int():
            return expiry
        case float() if math.isfinite(expiry):
            return expiry
    raise _wrong("its exp must be a number of seconds since 1970")


def _expired() -> Refusal:
    return unauthorized("user_token_expired", "user_token: has expired; allowed is a current one")


def _wrong(problem: str) -> Refusal:
    return unauthorized("bad_user_token", f"user_token: is refused; {problem}")
