"""Identity verification and the tokens of updates (contract §2, Identity verification, Update)."""

import base64
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halo_engine.contacts.identifying.identify import IdentifyAnswer, IdentifyCall, identify
from halo_engine.contacts.identifying.verification import verify_update_scope, verify_user
from halo_engine.domain.errors import Refusal
from halo_engine.tables import end_users
from halo_engine.work import Organization, Work
from tests.contacts.sandbox import NOW, rows

SECRET = "a-secret-of-at-least-thirty-two-bytes!"
ANOTHER = "another-secret-of-thirty-two-bytes-or-more"
SOON = timedelta(hours=1)


def signed(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """Return a token with these claims; this signs with secrets of any length."""
    body = f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(claims)}"
    digest = {"HS256": "sha256", "HS512": "sha512"}.get(algorithm)
    signature = hmac.digest(secret.encode(), body.encode(), digest) if digest else b""
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def encoded(part: object) -> str:
    """Return a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def at(moment: timedelta) -> int:
    """Return the instant as far from the engine's now as said, as tokens write it."""
    return int((NOW + moment).timestamp())


def code_of(work: Work, token: Any, user_id: str = "ann") -> str | bool:
    """Return the code of the 401 that the token meets, or whether the call is verified."""
    try:
        return verify_user(work, token, user_id)
    except Refusal as refusal:
        return refusal.code if refusal.status == 401 else str(refusal.status)


@pytest.fixture
def guarded(work: Work) -> Work:
    """Work of an organisation that verifies identities."""
    return replace(work, org=replace(work.org, identity_secret=SECRET))


def test_a_proper_token_verifies(guarded: Work) -> None:
    """A user's token proves the caller, without ``exp`` or with one in the future."""
    assert code_of(guarded, signed(user_id="ann")) is True
    assert code_of(guarded, signed(user_id="ann", exp=at(SOON))) is True


def test_where_verification_is_off_nothing_is_proved(work: Work) -> None:
    """Without an identity secret every call is accepted, and none counts as verified."""
    assert code_of(work, None) is False
    assert code_of(work, signed(user_id="ann")) is False


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, "user_token_required"),
        ("", "bad_user_token"),
        ("a.b.c", "bad_user_token"),
        ("\ud800", "bad_user_token"),
        (signed(ANOTHER, user_id="ann"), "bad_user_token"),
        (signed(algorithm="HS512", user_id="ann"), "bad_user_token"),
        (signed(algorithm="none", user_id="ann"), "bad_user_token"),
        (signed(), "bad_user_token"),
        (signed(user_id="ben"), "bad_user_token"),
        (signed(user_id=["ann"]), "bad_user_token"),
        (signed(user_id="ann", exp="soon"), "bad_user_token"),
        (signed(user_id="ann", exp=True), "bad_user_token"),
        (signed(user_id="ann", exp=None), "bad_user_token"),
        (signed(user_id="ann", exp=float("nan")), "bad_user_token"),
        (signed(user_id="ann", exp=float("inf")), "bad_user_token"),
        (signed(user_id="ann", exp=-(10**400)), "user_token_expired"),
    ],
)
def test_a_token_that_is_missing_or_wrong_is_refused(
    guarded: Work, token: str | None, code: str
) -> None:
    """Each fault is a 401 with a stable code."""
    assert code_of(guarded, token) == code


def test_a_number_is_not_the_text_of_it(guarded: Work) -> None:
    """The claim 7 is not the user ‘7’: claims are compared as text."""
    assert code_of(guarded, signed(user_id=7), user_id="7") == "bad_user_token"


@pytest.mark.parametrize(
    ("moment", "outcome"),
    [
        (timedelta(seconds=0), True),
        (timedelta(seconds=-59), True),
        (timedelta(seconds=-60), "user_token_expired"),
        (timedelta(days=-30), "user_token_expired"),
    ],
)
def test_expiry_is_judged_by_the_engines_clock(
    guarded: Work, moment: timedelta, outcome: str | bool
) -> None:
    """A token is good until 60 seconds after its ``exp``, whatever the machine's clock says."""
    assert code_of(guarded, signed(user_id="ann", exp=at(moment))) == outcome


def test_the_machines_clock_means_nothing(guarded: Work) -> None:
    """In a rehearsal of 1999 a token of 1999 is current; other time claims are ignored."""
    then = datetime(1999, 1, 1, tzinfo=UTC)
    token = signed(user_id="ann", exp=int(then.timestamp()), nbf=at(SOON), iat=at(SOON), aud="x")
    assert code_of(replace(guarded, now=then), token) is True


def test_a_short_secret_verifies_nobody(work: Work) -> None:
    """A token signed with a secret shorter than 32 bytes is refused, since the secret could be
    guessed.
    """
    short = replace(work, org=replace(work.org, identity_secret="short"))
    assert code_of(short, signed("short", user_id="ann")) == "bad_user_token"


def test_an_unproved_call_writes_nothing(guarded: Work) -> None:
    """A refused token writes nothing, and the refusal says what is allowed."""
    with pytest.raises(Refusal) as raised:
        identify(guarded, IdentifyCall(user_id="ann", traits={"role": "owner"}))
    assert raised.value.as_dict() == {
        "status": 401,
        "code": "user_token_required",
        "message": "user_token: is required; "
        "allowed is a JWT, HS256, signed with the identity secret",
    }
    assert rows(guarded, end_users, "id") == []


def test_stored_traits_are_for_verified_callers_alone(guarded: Work) -> None:
    """Only a verified caller is answered with what is stored."""
    said = {"email": "a@a.example", "mrr": 49.5, "arr": 600, "signed_up_at": "2026-05-01", "x": [1]}

    def answer(work: Work) -> IdentifyAnswer:
        token = signed(user_id="ann")
        return identify(
            work, IdentifyCall(user_id="ann", traits=said, context={"a": 1}, user_token=token)
        )

    assert json.loads(answer(guarded).model_dump_json())["stored"] == {
        "traits": {
            "name": None,
            "email": "a@a.example",
            "signed_up_at": "2026-05-01T00:00:00.000000+00:00",
            "renewal_date": None,
            "renewal_status": None,
            "contract_term": None,
            "payment_terms": None,
            "on_contract": None,
            "mrr": 49.5,
            "arr": 600,
            "x": [1],
        },
        "context": {"a": 1},
    }
    unguarded = replace(guarded, org=replace(guarded.org, identity_secret=None))
    assert answer(unguarded).stored is None


def scope_code(org: Organization, work: Work, token: str | None) -> str | None:
    """Return the code of the 401 that an update with the token meets; None when it may."""
    try:
        verify_update_scope(replace(work, org=org), token)
    except Refusal as refusal:
        return refusal.code if refusal.status == 401 else str(refusal.status)
    return None


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"scope": "users.update", "exp": at(timedelta(minutes=5))}, None),
        ({"scope": "users.update", "exp": at(timedelta(minutes=6))}, None),
        ({"scope": "users.update", "exp": at(timedelta(seconds=361))}, "bad_user_token"),
        ({"scope": "users.update", "exp": at(timedelta(seconds=-59))}, None),
        ({"scope": "users.update", "exp": at(timedelta(seconds=-60))}, "user_token_expired"),
        ({"scope": "users.update"}, "bad_user_token"),
        ({"scope": "users.update", "exp": 10**400}, "bad_user_token"),
        ({"scope": ["users.update"], "exp": at(timedelta(0))}, "bad_user_token"),
        ({"scope": "users.read", "exp": at(timedelta(0))}, "bad_user_token"),
        ({"exp": at(timedelta(0))}, "bad_user_token"),
    ],
)
def test_updates_need_a_short_lived_token(
    guarded: Work, claims: dict[str, Any], code: str | None
) -> None:
    """Scope ``users.update``, and ``exp`` at most 5 minutes ahead, with 60 s leeway each way."""
    assert scope_code(guarded.org, guarded, signed(**claims)) == code


def test_updates_need_an_identity_secret(work: Work) -> None:
    """An organisation without a secret cannot prove anything, so it cannot update."""
    token = signed(scope="users.update", exp=at(timedelta(0)))
    assert scope_code(work.org, work, token) == "identity_secret_required"


PARTS = st.builds(
    encoded,
    st.dictionaries(
        st.sampled_from(["alg", "typ", "crit", "b64", "kid", "user_id", "exp", "sub"]),
        st.sampled_from(["HS256", "none", "JWT", "ann"]) | st.text() | st.floats() | st.none(),
    ),
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(token=st.text() | st.builds(".".join, st.lists(PARTS | st.text(), max_size=4)))
def test_no_forgery_is_taken(guarded: Work, token: str) -> None:
    """Whatever is sent as a token is a 401."""
    assert code_of(guarded, token) in ("bad_user_token", "user_token_expired")
