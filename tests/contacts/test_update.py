"""Update / backfill (contract §2: the doors' table, Update / backfill)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halo_engine.contacts.identifying.update import UpdateAnswer, UpdateCall, update
from halo_engine.domain.errors import Refusal, validated
from halo_engine.tables import audience_fields, end_users, signals
from halo_engine.work import Work
from tests.contacts.sandbox import (
    EARLIER,
    NOW,
    add_contact,
    new_organization,
    refused,
    rows,
    statements,
    written_signals,
)

SECRET = "a-secret-of-at-least-thirty-two-bytes!"
Updates = Callable[..., UpdateAnswer]


@pytest.fixture
def work(work: Work) -> Work:
    """Work of an organisation that can update."""
    return replace(work, org=replace(work.org, identity_secret=SECRET))


def token(work: Work) -> str:
    """Return what a backend signs for a batch."""
    expiry = int((work.now + timedelta(minutes=5)).timestamp())
    return jwt.encode({"scope": "users.update", "exp": expiry}, SECRET)


def updated(work: Work, *users: Any, **call: Any) -> UpdateAnswer:
    """Update these users with a proper token."""
    data = {"users": list(users), "user_token": token(work), **call}
    return update(work, validated(UpdateCall, data, "update"))


def counts(answer: UpdateAnswer) -> tuple[int, int, int, list[int]]:
    """Return what an answer counts, and the indexes of its errors."""
    errors = [each.index for each in answer.errors]
    return answer.created, answer.updated, answer.skipped, errors


# The row of the doors' table: creates (`api`), never bumps existing ones, silent.


def test_an_unknown_user_is_created_in_silence(work: Work) -> None:
    """A new user is of source ``api``, seen at its sign-up, and no series enrolls it."""
    traits = {
        "name": "Jane Doe",
        "email": "jane@a.example",
        "role": "owner",
        "signed_up_at": "2023-04-12T00:00:00Z",
    }
    answer = updated(work, {"user_id": "user_1", "traits": traits})
    assert answer.model_dump(mode="json") == {
        "created": 1,
        "updated": 0,
        "skipped": 0,
        "errors": [],
        "warnings": [],
    }
    signup = datetime(2023, 4, 12, tzinfo=UTC)
    names = ("external_id", "source", "name", "created_at", "first_seen", "last_seen")
    assert rows(work, end_users, *names) == [("user_1", "api", "Jane Doe", NOW, signup, signup)]
    [(jane,)] = rows(work, end_users, "id")
    changed = ["name", "email", "signed_up_at", "custom:role"]
    assert written_signals(work) == [("silent", jane, changed)]


def test_without_a_sign_up_a_new_user_is_seen_now(work: Work) -> None:
    """``first_seen`` and ``last_seen`` default to now."""
    updated(work, {"user_id": "ann"})
    assert rows(work, end_users, "first_seen", "last_seen") == [(NOW, NOW)]


def test_a_known_user_is_merged_and_not_bumped(work: Work) -> None:
    """Traits of a known user are merged in silence, and no activity timestamp moves."""
    ann = add_contact(work, "ann", name="Ann", custom_fields={"plan": "pro"})
    traits = {"role": "owner", "signed_up_at": "2020-01-01", "mrr": 5}
    assert counts(updated(work, {"user_id": "ann", "traits": traits})) == (0, 1, 0, [])
    names = ("name", "mrr", "custom_fields", "source", "first_seen", "last_seen", "updated_at")
    assert rows(work, end_users, *names) == [
        ("Ann", 5, {"plan": "pro", "role": "owner"}, "sdk", EARLIER, EARLIER, NOW)
    ]
    assert written_signals(work) == [("silent", ann, ["signed_up_at", "mrr", "custom:role"])]


def test_what_changes_nothing_writes_nothing(work: Work) -> None:
    """Entries with the stored values count as updated, and write neither a row nor a signal."""
    add_contact(work, "ann", name="Ann", custom_fields={"plan": "pro"})
    same = {"user_id": "ann", "traits": {"name": "Ann", "plan": "pro", "signed_up_at": None}}
    assert counts(updated(work, same)) == (0, 1, 0, [])
    assert rows(work, end_users, "updated_at") == [(EARLIER,)]
    assert written_signals(work) == []


def test_a_lead_is_left_alone(work: Work) -> None:
    """A user with a lead's email is a contact of its own, since only identify promotes leads."""
    add_contact(work, None, email="lea@a.example")
    updated(work, {"user_id": "lea", "traits": {"email": "lea@a.example"}})
    assert sorted(rows(work, end_users, "contact_type")) == [("lead",), ("user",)]


def test_backfilled_fields_are_registered(work: Work) -> None:
    """The documents' example: after a backfill of ``role`` pickers offer it."""
    updated(work, *({"user_id": f"u{n}", "traits": {"role": "owner"}} for n in range(3)))
    assert rows(work, audience_fields, "entity", "key", "type") == [("contact", "role", "string")]


# Batches.


def test_update_only_skips_the_unknown(work: Work) -> None:
    """With ``update_only`` unknown users are counted and write nothing, not even custom fields."""
    add_contact(work, "ann")
    users = [{"user_id": user, "traits": {f"of_{user}": 1}} for user in ("ann", "ben", "ben")]
    assert counts(updated(work, *users, update_only=True)) == (0, 1, 2, [])
    assert rows(work, end_users, "external_id") == [("ann",)]
    assert rows(work, audience_fields, "key") == [("of_ann",)]


def test_one_bad_user_does_not_spoil_the_batch(work: Work) -> None:
    """Each bad user is an error by index, also an unknown one; the others are written."""
    add_contact(work, "ann")
    answer = updated(
        work,
        {"user_id": "ann", "traits": {"role": "owner"}},
        {"user_id": "", "traits": {}},
        "nobody",
        {"traits": {}},
        {"user_id": "ben", "traits": {"id": 1, "created_at": 2}},
        {"user_id": "cyd", "context": {}},
        {"user_id": "dee", "traits": {"x": float("inf")}},
        {"user_id": "eve", "traits": {"x": "a\0"}},
        {"user_id": "unknown", "traits": {}},
        update_only=True,
    )
    assert counts(answer) == (0, 1, 1, [1, 2, 3, 4, 5, 6, 7])
    assert [(each.status, each.code, each.message) for each in answer.errors] == [
        (
            400,
            "bad_id",
            "users[1]: user_id: ‘’ is refused; allowed are 1 to 255 characters, not blank",
        ),
        (400, "bad_input", "users[2]: ‘nobody’ is not an object with user_id, traits"),
        (400, "missing_key", "users[3].user_id: is required"),
        (
            400,
            "reserved_trait",
            (
                "users[4]: traits: id, created_at cannot be set; Halo manages id, external_id, "
                "org_id, company_id, created_at, updated_at, first_seen, last_seen, "
                "last_contacted_at, customer_for"
            ),
        ),
        (400, "unknown_key", "users[5].context: unknown key; allowed are user_id, traits"),
        (
            400,
            "bad_number",
            "users[6]: traits.x: inf cannot be stored; allowed are int64 and finite doubles",
        ),
        (
            400,
            "bad_text",
            (
                "users[7]: traits.x: ‘a\\x00’ cannot be stored; allowed is text without NUL or "
                "lone surrogates"
            ),
        ),
    ]
    assert rows(work, end_users, "external_id", "custom_fields") == [("ann", {"role": "owner"})]


def test_the_same_user_twice_is_merged_in_order(work: Work) -> None:
    """The later entry wins key by key; a new user was seen as its first entry says."""
    answer = updated(
        work,
        {"user_id": "ann", "traits": {"name": "A", "plan": "free", "a": 1}},
        {"user_id": "ben"},
        {"user_id": "ann", "traits": {"name": "B", "plan": "pro", "signed_up_at": "2020-01-01"}},
    )
    assert counts(answer) == (2, 1, 0, [])
    assert rows(work, end_users, "external_id", "name", "custom_fields", "first_seen") == [
        ("ann", "B", {"plan": "pro", "a": 1}, NOW),
        ("ben", None, {}, NOW),
    ]


def test_ignored_revenue_is_said_once(work: Work) -> None:
    """A batch whose ``mrr`` is ignored has one warning, however many users give it."""
    ruled = replace(work, org=replace(work.org, mrr_mode="stripe", stripe_connected=True))
    answer = updated(ruled, *({"user_id": f"u{n}", "traits": {"mrr": n}} for n in range(3)))
    assert answer.warnings == ("mrr is ignored: it comes from Stripe",)


def test_organisations_are_apart(work: Work) -> None:
    """The same users in another organisation stay as they are."""
    other = new_organization(work.connection)
    add_contact(other, "ann", name="Ann")
    assert counts(updated(work, {"user_id": "ann", "traits": {"x": 1}})) == (1, 0, 0, [])
    assert rows(other, end_users, "name", "custom_fields") == [("Ann", {})]
    for table in (signals, audience_fields):
        assert rows(other, table, "org_id") == []


def test_new_users_are_created_in_order(work: Work) -> None:
    """Users created by one batch are ordered as in the batch."""
    users = [f"u{n:03}" for n in range(500)]
    updated(work, *({"user_id": user} for user in users))
    assert [user for (user,) in rows(work, end_users, "external_id")] == users
    kinds = [contact for _, contact, _ in written_signals(work)]
    assert kinds == [contact for (contact,) in rows(work, end_users, "id")]


def test_more_than_500_users_are_refused() -> None:
    """The limit is named, and nothing is written."""
    said = "update: users: 501 are too many; allowed are 500 in a batch"
    assert refused(UpdateCall, {"users": [{}] * 501}, "update") == (400, "too_many", said)


def test_an_update_without_proof_writes_nothing(work: Work) -> None:
    """A batch without a token is a 401, and nothing is written."""
    with pytest.raises(Refusal) as raised:
        updated(work, {"user_id": "ann"}, user_token=None)
    assert (raised.value.status, raised.value.code) == (401, "user_token_required")
    assert rows(work, end_users, "id") == []


def test_batches_of_1_and_of_500_take_the_same_statements(work: Work) -> None:
    """A batch takes the same statements for 1 or 500 users, new or known, twelve times on one
    connection.
    """
    for n in range(12):
        for size in (1, 500):
            users = [{"user_id": f"u{n % 3}-{i}", "traits": {"n": n}} for i in range(size)]
            with statements(work.connection) as seen:
                assert counts(updated(work, *users))[3] == []
            assert len(seen) == 1


# Whatever is thrown at the door.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
USERS = st.lists(
    JSON
    | st.fixed_dictionaries(
        {"user_id": st.sampled_from(["ann", "ben", "cyd"]) | JSON},
        optional={"traits": JSON | st.dictionaries(st.text(max_size=3) | st.just("mrr"), JSON)},
    ),
    max_size=6,
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(users=USERS, update_only=st.booleans())
def test_the_good_half_goes_in(work: Work, users: list[Any], update_only: bool) -> None:
    """Whatever half of a batch is bad, the good users are written, and each user is counted
    once.
    """
    with work.connection.begin_nested() as savepoint:
        add_contact(work, "ann")
        answer = updated(
            work, {"user_id": "ann", "traits": {"good": 1}}, *users, update_only=update_only
        )
        assert answer.created + answer.updated + answer.skipped + len(answer.errors) == 1 + len(
            users
        )
        stored = dict(rows(work, end_users, "external_id", "custom_fields"))
        assert "good" in stored["ann"]
        savepoint.rollback()
