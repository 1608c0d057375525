"""What the public widget key may not, and what an ingest key proves (contract §12)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import pytest

from halo_engine.domain.errors import Refusal, validated
from halo_engine.doors.over_http.callers import PROVEN, PUBLIC, Accepted, CallersDoor, update_proven
from halo_engine.pipeline.batches.update_users import UpdateOrTryCall
from halo_engine.rehearsal.tokens import signed
from halo_engine.sets import SetCall, perform_calls
from halo_engine.tables import end_users, events
from halo_engine.work import Work
from tests.contacts.sandbox import NOW, add_contact, rows

SECRET: Final = "a secret of thirty-two bytes or more"
OTHERS: Final = "another secret of thirty-two bytes or more"
MINUTES: Final = timedelta(minutes=5)

ANN: Final = signed({"user_id": "ann"}, SECRET, NOW, MINUTES)
BOB: Final = signed({"user_id": "bob"}, SECRET, NOW, MINUTES)
UPDATES: Final = signed({"scope": "users.update"}, SECRET, NOW, MINUTES)


@dataclass
class Caller:
    """Somebody who calls doors in an organisation with the users ann and bob."""

    work: Work
    opened: Mapping[str, CallersDoor]

    def calls(self, door: str, *calls: dict[str, Any]) -> list[Any]:
        """Call the door with a set; a refusal is its code."""
        opened = self.opened[door]
        read = [SetCall(opened.form, validated(opened.call, call, door)) for call in calls]
        outcomes = perform_calls(self.work, read, self.work.org.known_fields)
        return [each.code if isinstance(each, Refusal) else each for each in outcomes]

    def call(self, door: str, **call: Any) -> Any:
        """Call the door once."""
        return self.calls(door, call)[0]


@pytest.fixture
def verified(work: Work) -> Work:
    """An organisation with identity verification."""
    for name in ("ann", "bob"):
        add_contact(work, name, email=f"{name}@a.example")
    return replace(work, org=replace(work.org, identity_secret=SECRET))


@pytest.fixture
def stranger(verified: Work) -> Caller:
    """Somebody who read the widget key in a page."""
    return Caller(verified, PUBLIC)


@pytest.fixture
def backend(verified: Work) -> Caller:
    """The application's backend, with an ingest key."""
    return Caller(verified, PROVEN)


@pytest.mark.parametrize(
    ("token", "outcome"),
    [
        (None, "user_token_required"),
        ("no token", "bad_user_token"),
        (BOB, "bad_user_token"),
        (signed({"user_id": "ann"}, OTHERS, NOW, MINUTES), "bad_user_token"),
        (signed({"user_id": "ann"}, SECRET, NOW, -MINUTES), "user_token_expired"),
        (signed({"scope": "users.update"}, SECRET, NOW, -MINUTES), "user_token_expired"),
        (signed({"scope": "users.read"}, SECRET, NOW, MINUTES), "bad_user_token"),
    ],
)
def test_a_users_event_needs_a_proof(stranger: Caller, token: str | None, outcome: str) -> None:
    """An event or a company of a user needs a proof; without one nothing is written."""
    assert stranger.call("track", event="paid", user_id="ann", user_token=token) == outcome
    assert stranger.call("companies.identify", id="c", user_id="ann", user_token=token) == outcome
    assert rows(stranger.work, events, "name") == []
    assert rows(stranger.work, end_users, "company_id") == [(None,), (None,)]


@pytest.mark.parametrize("token", [ANN, UPDATES])
def test_the_users_own_token_proves_it_and_one_for_updates(stranger: Caller, token: str) -> None:
    """A user's own token and a token for updates are each a proof at both doors."""
    assert stranger.call("track", event="paid", user_id="ann", user_token=token).event == "paid"
    answer = stranger.call("companies.identify", id="acme", user_id="ann", user_token=token)
    assert answer.company_id == "acme"


def test_a_company_without_a_user_needs_a_token_for_updates(stranger: Caller) -> None:
    """No user's own token speaks for a whole company."""
    assert stranger.call("companies.identify", id="acme", user_token=ANN) == "bad_user_token"
    assert stranger.call("companies.identify", id="acme", user_token=UPDATES).created


def test_anonymous_events_need_no_proof(stranger: Caller) -> None:
    """Anonymous events belong to no user yet, so they need no proof."""
    assert stranger.call("track", event="visited", session_id="s1").event == "visited"


def test_without_a_proof_nobody_is_identified(stranger: Caller) -> None:
    """Without a proof neither a new user nor a known one is identified."""
    for name in ("ann", "new"):
        assert stranger.call("identify", user_id=name) == "user_token_required"
    assert stranger.call("identify", user_id="ann", user_token=ANN).user_id == "ann"


def test_a_lead_is_accepted_whether_the_email_is_known_or_not(stranger: Caller) -> None:
    """The answers to a known user's, a known lead's and a new email are the same."""
    new = {"email": "new@a.example", "traits": {"plan": "pro"}}
    known = {"email": "ANN@a.example", "traits": {"plan": "pro"}}
    answers = stranger.calls("leads.capture", new, known, new)
    assert answers == [Accepted()] * 3
    assert answers[0].model_dump(mode="json") == {"accepted": True}
    bad = [{**each, "traits": {"mrr": "much"}} for each in (new, known)]
    assert stranger.calls("leads.capture", *bad) == ["bad_trait"] * 2
    assert len(rows(stranger.work, end_users, "id")) == 3


def test_one_call_without_proof_spoils_no_other(stranger: Caller) -> None:
    """Each call of a set gets its own answer, in its place."""
    paid = {"event": "paid", "user_id": "ann"}
    refused, done, anonymous = stranger.calls(
        "track",
        paid,
        {**paid, "user_token": ANN},
        {"event": "visited", "session_id": "s1", "user_token": "no token"},
    )
    assert (refused, done.event, anonymous.event) == ("user_token_required", "paid", "visited")
    assert rows(stranger.work, events, "name") == [("paid",), ("visited",)]


def test_a_repeated_event_may_carry_a_newer_token(stranger: Caller) -> None:
    """A repeated event may have a newer token, since the token is no part of the compared body."""
    paid = {"event": "paid", "user_id": "ann", "idempotency_key": "k1"}
    later = signed({"user_id": "ann"}, SECRET, NOW, 2 * MINUTES)
    assert later != ANN
    first = stranger.call("track", **paid, user_token=ANN)
    assert stranger.call("track", **paid, user_token=later) == first
    assert len(rows(stranger.work, events, "id")) == 1


def test_without_identity_verification_nothing_is_asked_for(work: Work) -> None:
    """Without identity verification no proof is needed; `halo doctor` warns of that."""
    add_contact(work, "ann")
    anybody = Caller(work, PUBLIC)
    assert anybody.call("track", event="paid", user_id="ann").event == "paid"
    assert anybody.call("companies.identify", id="acme", user_id="ann").created


def test_a_backends_calls_are_proven(backend: Caller) -> None:
    """A call by an ingest key needs no token and is answered with what is stored."""
    assert backend.call("track", event="paid", user_id="ann").event == "paid"
    assert backend.call("companies.identify", id="acme", user_id="ann").created
    answer = backend.call("identify", user_id="ann", traits={"plan": "pro"})
    assert answer.stored.traits == {**answer.stored.traits, "email": "ann@a.example", "plan": "pro"}
    assert backend.call("leads.capture", email="ann@a.example").created is False
    batch = UpdateOrTryCall(users=[{"user_id": "ann", "traits": {"plan": "free"}}])
    assert update_proven(backend.work, batch).updated == 1


def test_a_backend_is_proven_without_identity_verification_too(work: Work) -> None:
    """An organisation without a secret has updates by an ingest key alone."""
    backend = Caller(work, PROVEN)
    assert backend.call("identify", user_id="ann", traits={"plan": "pro"}).stored is not None
    batch = UpdateOrTryCall(users=[{"user_id": "ann", "traits": {"plan": "free"}}])
    assert update_proven(work, batch).updated == 1


def test_a_backend_is_not_asked_for_a_token_of_its_users(backend: Caller) -> None:
    """A backend needs no token of a user; one that it sends is ignored."""
    answer = backend.call("identify", user_id="ann", user_token=BOB)
    assert answer.user_id == "ann"
