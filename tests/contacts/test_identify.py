"""Identifying users (contract §2: the doors' table, Identify, Lead promoted, Anonymous work)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, select

from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import (
    IdentifyAnswer,
    IdentifyCall,
    identify,
    identifying,
)
from halo_engine.contacts.identifying.verification import LEEWAY
from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.series.signals import EVERYTHING
from halo_engine.engine import Engine as HaloEngine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.opening import open_work
from halo_engine.organizations.settings import OrganizationSettings
from halo_engine.organizations.storing import change_organization
from halo_engine.pipeline.due import PostOffice
from halo_engine.rehearsal.tokens import signed
from halo_engine.tables import (
    audience_fields,
    contact_sessions,
    end_users,
    event_counts,
    events,
    signals,
)
from halo_engine.work import OrgRef, Work
from tests.contacts.racing import at_once
from tests.contacts.sandbox import (
    EARLIER,
    NOW,
    add_contact,
    committed_organization,
    last_seen,
    new_organization,
    overtaken,
    refused,
    rows,
    statements,
    while_open,
    written_signals,
)

SECRET = "a secret of thirty-two bytes or more"


def says(work: Work, **call: Any) -> IdentifyAnswer:
    """Identify ``ann``, unless the call says otherwise."""
    return identify(work, validated(IdentifyCall, {"user_id": "ann", **call}, "identify"))


def refusal(work: Work, **call: Any) -> dict[str, Any]:
    """Return the refusal that the call meets."""
    with pytest.raises(Refusal) as raised:
        says(work, **call)
    return raised.value.as_dict()


# The row of the doors' table: creates (`sdk`), bumps, reacts.


def test_an_unknown_user_is_created(work: Work) -> None:
    """The first call creates a user of source ``sdk``, seen now, with one signal for its
    creation.
    """
    answer = says(work, traits={"name": "Ann", "email": "Ann@A.example", "plan": "pro"})
    now = "2026-06-01T09:00:00.000000+00:00"
    assert answer.model_dump(mode="json") == {
        "id": str(answer.id),
        "user_id": "ann",
        "contact_type": "user",
        "created": True,
        "created_at": now,
        "updated_at": now,
        "first_seen": now,
        "last_seen": now,
        "last_contacted_at": None,
        "warnings": [],
        "stored": None,
    }
    names = ("external_id", "contact_type", "source", "name", "email", "address", "custom_fields")
    assert rows(work, end_users, *names) == [
        ("ann", "user", "sdk", "Ann", "Ann@A.example", "ann@a.example", {"plan": "pro"})
    ]
    assert written_signals(work) == [("created", answer.id, [EVERYTHING])]


def test_a_known_user_is_updated(work: Work) -> None:
    """A later call merges what is given, bumps ``last_seen``, and signals the keys that changed."""
    ann = add_contact(work, "ann", name="Ann", custom_fields={"plan": "pro", "team": 7})
    answer = says(work, traits={"name": "Ann", "email": "a@a.example", "plan": "free", "team": 7})
    assert (answer.id, answer.created) == (ann, False)
    assert (answer.first_seen, answer.last_seen) == (EARLIER, NOW)
    assert rows(work, end_users, "name", "email", "source", "custom_fields") == [
        ("Ann", "a@a.example", "sdk", {"plan": "free", "team": 7})
    ]
    assert written_signals(work) == [("changed", ann, ["email", "custom:plan"])]


def test_last_seen_alone_is_no_change(work: Work) -> None:
    """A call without changes moves ``last_seen`` and ``updated_at``, and writes no signal."""
    ann = add_contact(work, "ann", name="Ann", custom_fields={"n": 1}, context={"tab": "home"})
    answer = says(work, traits={"name": "Ann", "n": 1.0}, context={"tab": "home"})
    assert (last_seen(work, ann), answer.updated_at) == (NOW, NOW)
    assert written_signals(work) == []


def test_a_change_of_the_context_is_no_change_of_traits(work: Work) -> None:
    """A changed context writes no signal, since no filter can name it."""
    add_contact(work, "ann", context={"tab": "home", "deep": {"a": 1}})
    says(work, context={"deep": {"b": 2}, "n": 1})
    assert rows(work, end_users, "context") == [({"tab": "home", "deep": {"b": 2}, "n": 1},)]
    assert written_signals(work) == []


# Merging.


def test_traits_merge_as_the_documents_show(work: Work) -> None:
    """Traits of two calls are merged: a given key overwrites, a missing one stays."""
    says(work, traits={"name": "Jane", "role": "viewer"})
    says(work, traits={"role": "admin", "email": "jane@a.example"})
    assert rows(work, end_users, "name", "email", "custom_fields") == [
        ("Jane", "jane@a.example", {"role": "admin"})
    ]


def test_every_recognised_trait_has_its_column(work: Work) -> None:
    """The ten recognised traits are columns; everything else is a custom field, as it was sent."""
    custom = {
        "role": "admin",
        "plan": "pro",
        "avatar": "https://a.example/a.png",
        "onboarding_step": 3,
        "last_login": "2025-01-15T10:30:00Z",
        "tags": ["a", {"b": None}],
    }
    says(
        work,
        traits={
            "name": "Jane Doe",
            "email": "jane@a.example",
            "signed_up_at": "2023-04-12T00:00:00Z",
            "renewal_date": "2026-07-01",
            "renewal_status": "up_for_renewal",
            "contract_term": "annual",
            "payment_terms": "monthly",
            "on_contract": True,
            "mrr": 4900,
            "arr": 58800.5,
            **custom,
        },
    )
    names = ("name", "email", "signed_up_at", "renewal_date", "renewal_status", "contract_term")
    assert rows(work, end_users, *names) == [
        (
            "Jane Doe",
            "jane@a.example",
            datetime(2023, 4, 12, tzinfo=UTC),
            datetime(2026, 7, 1, tzinfo=UTC),
            "up_for_renewal",
            "annual",
        )
    ]
    assert rows(work, end_users, "payment_terms", "on_contract", "mrr", "arr", "custom_fields") == [
        ("monthly", True, 4900, 58800.5, custom)
    ]


def test_null_overwrites_all_but_signed_up_at(work: Work) -> None:
    """``null`` empties a trait; for ``signed_up_at`` it keeps what is stored."""
    ann = add_contact(
        work, "ann", name="Ann", signed_up_at=EARLIER, on_contract=True, custom_fields={"role": "x"}
    )
    says(work, traits={"name": None, "signed_up_at": None, "on_contract": None, "role": None})
    assert rows(work, end_users, "name", "signed_up_at", "on_contract", "custom_fields") == [
        (None, EARLIER, None, {"role": None})
    ]
    assert written_signals(work) == [("changed", ann, ["name", "on_contract", "custom:role"])]


def test_dates_without_an_offset_are_the_organisations(work: Work) -> None:
    """A date alone is midnight in the organisation's time zone."""
    in_berlin = replace(work, org=replace(work.org, timezone="Europe/Berlin"))
    says(in_berlin, traits={"signed_up_at": "2026-05-27"})
    assert rows(work, end_users, "signed_up_at") == [(datetime(2026, 5, 26, 22, tzinfo=UTC),)]


def test_first_seen_of_a_live_user_is_now(work: Work) -> None:
    """``first_seen`` is now, even if the user signed up long ago."""
    answer = says(work, traits={"signed_up_at": "2023-04-12"})
    assert (answer.first_seen, answer.last_seen) == (NOW, NOW)


def test_custom_fields_are_registered_with_the_type_seen(work: Work) -> None:
    """Each custom field is registered once; one seen as null learns its type later."""
    traits = {"s": "x", "n": 1, "b": True, "d": "2026-01-01", "o": {}, "a": [], "u": None}
    says(work, traits={**traits, "email": "a@a.example"})
    says(work, traits={"n": "two", "u": 2.5})
    assert rows(work, audience_fields, "entity", "key", "type") == [
        ("contact", "a", "array"),
        ("contact", "b", "boolean"),
        ("contact", "d", "date"),
        ("contact", "n", "number"),
        ("contact", "o", "object"),
        ("contact", "s", "string"),
        ("contact", "u", "number"),
    ]


# Revenue and Stripe.


@pytest.mark.parametrize(
    ("mode", "connected", "taken"),
    [
        ("manual", False, True),
        ("manual", True, True),
        ("stripe", False, True),
        ("stripe", True, False),
    ],
)
def test_revenue_is_taken_unless_stripe_rules(
    work: Work, mode: str, connected: bool, taken: bool
) -> None:
    """``mrr`` and ``arr`` are ignored with a warning only where Stripe sets them."""
    org = replace(work.org, mrr_mode=mode, stripe_connected=connected)
    answer = says(replace(work, org=org), traits={"mrr": 100, "arr": 1200, "name": "Ann"})
    assert rows(work, end_users, "name", "mrr", "arr") == [
        ("Ann", 100, 1200) if taken else ("Ann", None, None)
    ]
    ignored = [f"{name} is ignored: it comes from Stripe" for name in ("mrr", "arr")]
    assert answer.warnings == (() if taken else tuple(ignored))


# Refusals: nothing is written.


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (
            {"user_id": " "},
            "bad_id",
            "identify: user_id: ‘ ’ is refused; allowed are 1 to 255 characters, not blank",
        ),
        (
            {"user_id": 7},
            "bad_id",
            "identify: user_id: 7 is refused; allowed are 1 to 255 characters, not blank",
        ),
        ({"user_id": "x" * 256}, "bad_id", None),
        (
            {"traits": {"created_at": "2020-01-01", "id": 1}},
            "reserved_trait",
            None,
        ),
        (
            {"traits": {"renewal_status": "maybe"}},
            "bad_trait",
            (
                "traits.renewal_status: ‘maybe’ is refused; allowed are up_for_renewal, "
                "in_progress, likely_to_renew, expansion_opportunity, set_to_cancel, "
                "set_to_cancel_trial, at_risk, renewed, lost, or null"
            ),
        ),
        ({"traits": {"signed_up_at": "tomorrow"}}, "bad_date", None),
        ({"traits": {"email": 5}}, "bad_email", None),
        ({"traits": {"x": "a\0b"}}, "bad_text", None),
        ({"traits": {"x": float("nan")}}, "bad_number", None),
        ({"traits": {"x": 2**63}}, "bad_number", None),
        ({"context": {"x": "y" * 20_000}}, "too_large", None),
        ({"session_id": ""}, "bad_id", None),
        ({"org_id": "x"}, "unknown_key", None),
    ],
)
def test_what_is_refused_writes_nothing(
    work: Work, call: dict[str, Any], code: str, message: str | None
) -> None:
    """A refused call is a 400 with a stable code, and leaves no row behind."""
    said = refusal(work, **call)
    assert (said["status"], said["code"]) == (400, code)
    assert message in (None, said["message"])
    for table in (end_users, signals, audience_fields, contact_sessions):
        assert rows(work, table, "org_id") == []


def test_each_reserved_key_is_named(work: Work) -> None:
    """The message names every key that Halo manages and that was sent."""
    keys = ("id", "external_id", "org_id", "company_id", "created_at", "updated_at", "first_seen")
    for key in (*keys, "last_seen", "last_contacted_at", "customer_for"):
        message = refusal(work, traits={key: None})["message"]
        assert message.startswith(f"traits: {key} cannot be set; ")


def test_a_call_without_a_user_is_refused() -> None:
    """``user_id`` is required."""
    said = (400, "missing_key", "identify.user_id: is required")
    assert refused(IdentifyCall, {"traits": {}}, "identify") == said


# A lead promoted to user.


def test_a_lead_becomes_the_user(work: Work) -> None:
    """A new ``user_id`` with a lead's email, in any case, promotes that lead."""
    lea = add_contact(work, None, source="lead_form", email="Lea@a.example", name="Lea")
    answer = says(work, user_id="lea", traits={"email": "lea@A.example", "plan": "pro"})
    assert (answer.id, answer.created, answer.contact_type) == (lea, False, "user")
    assert rows(work, end_users, "external_id", "source", "name", "email", "last_seen") == [
        ("lea", "lead_form", "Lea", "lea@A.example", NOW)
    ]
    assert written_signals(work) == [
        ("promoted", lea, ["email", "external_id", "contact_type", "custom:plan"])
    ]


def test_a_known_user_never_absorbs_a_lead(work: Work) -> None:
    """A known user who takes a lead's email leaves the lead as it is."""
    add_contact(work, None, email="lea@a.example")
    add_contact(work, "ann")
    says(work, traits={"email": "lea@a.example"})
    assert sorted(rows(work, end_users, "external_id", "email"), key=str) == [
        ("ann", "lea@a.example"),
        (None, "lea@a.example"),
    ]


def test_a_user_of_the_same_email_is_another_contact(work: Work) -> None:
    """Two users may share an email; only leads are promoted."""
    add_contact(work, "ben", email="shared@a.example")
    assert says(work, traits={"email": "shared@a.example"}).created
    assert len(rows(work, end_users, "id")) == 2


# Anonymous work.


def test_a_sessions_events_become_the_contacts(work: Work) -> None:
    """A session's events count from now on and lower ``first_seen``, without a signal."""
    before = replace(work, now=NOW - timedelta(hours=2))
    for name in ("viewed", "clicked", "viewed"):
        track(before, TrackCall(event=name, session_id="s1"))
    track(before, TrackCall(event="viewed", session_id="s2"))
    answer = says(work, session_id="s1")
    assert (answer.first_seen, answer.created_at) == (before.now, NOW)
    assert rows(work, end_users, "first_seen") == [(before.now,)]
    mine = (answer.id, False)
    assert rows(work, events, "end_user_id", "live") == [mine, mine, mine, (None, False)]
    counted = rows(work, event_counts, "end_user_id", "name", "count", "first_at", "live_at")
    assert counted == [
        (answer.id, "clicked", 1, before.now, None),
        (answer.id, "viewed", 2, before.now, None),
    ]
    assert written_signals(work) == [("created", answer.id, [EVERYTHING])]
    assert rows(work, contact_sessions, "session_id", "end_user_id", "linked_at") == [
        ("s1", answer.id, NOW)
    ]


def test_a_link_is_kept_once_and_adds_up(work: Work) -> None:
    """A second identify with the session links its later events, and keeps the first link."""
    ann = add_contact(work, "ann")
    track(work, TrackCall(event="viewed", user_id="ann"))
    for hours in (1, 2):
        later = replace(work, now=NOW + timedelta(hours=hours))
        track(later, TrackCall(event="viewed", session_id="s1"))
        says(later, session_id="s1")
    assert rows(work, end_users, "first_seen") == [(EARLIER,)]
    assert rows(work, event_counts, "count", "first_at", "last_at", "live_at") == [
        (3, NOW, NOW + timedelta(hours=2), NOW)
    ]
    assert rows(work, contact_sessions, "end_user_id", "linked_at") == [
        (ann, NOW + timedelta(hours=1))
    ]


def test_a_session_of_two_users_belongs_to_both(work: Work) -> None:
    """Two users may link one session; the first who identifies gets its events."""
    track(work, TrackCall(event="viewed", session_id="s1"))
    ann, ben = (says(work, user_id=user, session_id="s1").id for user in ("ann", "ben"))
    assert rows(work, events, "end_user_id") == [(ann,)]
    assert {row[0] for row in rows(work, contact_sessions, "end_user_id")} == {ann, ben}


# Isolation, races, numbers of statements.


def test_organisations_are_apart(work: Work) -> None:
    """The same ``user_id``, email and session in two organisations are two contacts."""
    other = new_organization(work.connection)
    add_contact(other, None, email="ann@a.example")
    track(other, TrackCall(event="viewed", session_id="s1"))
    assert says(work, traits={"email": "ann@a.example"}, session_id="s1").created
    assert rows(other, end_users, "external_id") == [(None,)]
    assert rows(other, events, "end_user_id") == [(None,)]


def call(user_id: str, **traits: Any) -> Callable[[Work], IdentifyAnswer]:
    """Return the action of identifying a user with these traits."""
    return lambda work: says(work, user_id=user_id, traits=traits)


def test_two_first_calls_make_one_contact(database: Engine) -> None:
    """First calls at once make one contact with the traits of both; one says that it was
    created.
    """
    org = committed_organization(database)
    for number in range(10):
        answers = at_once(
            database,
            org,
            call(f"u{number}", a=1, name="Ann"),
            call(f"u{number}", b=2, email="a@b.co"),
        )
        assert sorted(each.created for each in answers) == [False, True]
        assert answers[0].id == answers[1].id
    with database.connect() as connection:
        work = open_work(connection, org, NOW)
        merged = {"name": "Ann", "email": "a@b.co", "custom_fields": {"a": 1, "b": 2}}
        assert rows(work, end_users, *merged) == [tuple(merged.values())] * 10
        assert sorted(kind for kind, _, _ in written_signals(work)) == [
            *["changed"] * 10,
            *["created"] * 10,
        ]


def test_two_changes_of_one_contact_both_stay(database: Engine) -> None:
    """Calls at once for one contact are merged one after the other, and both changes stay."""
    org = committed_organization(database, "ann")
    for n in range(10):
        at_once(database, org, call("ann", **{f"a{n}": 1}), call("ann", **{f"b{n}": 1}))
    with database.connect() as connection:
        [(custom,)] = rows(open_work(connection, org, NOW), end_users, "custom_fields")
    assert custom == {f"{letter}{n}": 1 for letter in "ab" for n in range(10)}


def test_a_lead_is_promoted_once(database: Engine) -> None:
    """Two new users with a lead's email: one becomes the lead's row, the other a new contact."""
    org = committed_organization(database)
    for n in range(10):
        with database.begin() as connection:
            lead = add_contact(open_work(connection, org, NOW), None, email=f"{n}@a.example")
        calls = [call(f"{name}{n}", email=f"{n}@a.example") for name in ("ann", "ben")]
        answers = at_once(database, org, *calls)
        assert sorted(each.created for each in answers) == [False, True]
        assert lead in {each.id for each in answers}
    with database.connect() as connection:
        found = rows(open_work(connection, org, NOW), end_users, "external_id")
    assert {user for (user,) in found} == {
        f"{name}{n}" for name in ("ann", "ben") for n in range(10)
    }


def test_a_call_that_waited_for_a_lead_looks_again(database: Engine) -> None:
    """A call that waited while another promoted the lead makes a contact of its own."""
    org = committed_organization(database)
    with database.begin() as connection:
        lead = add_contact(open_work(connection, org, NOW), None, email="lea@a.example")
    calls = [call(user, email="lea@a.example") for user in ("ann", "ben")]
    overtaken(database, org, *calls)
    with database.connect() as connection:
        work = open_work(connection, org, NOW)
        (first, ann), (second, ben) = rows(work, end_users, "id", "external_id")
        assert ((first, ann), ben) == ((lead, "ann"), "ben")
        assert written_signals(work) == [
            ("promoted", lead, ["external_id", "contact_type"]),
            ("created", second, [EVERYTHING]),
        ]


def test_a_call_that_waited_merges_with_what_the_other_wrote(database: Engine) -> None:
    """A call that waited compares with the row as it is then, not as it was when the call began."""
    org = committed_organization(database, "ann")
    overtaken(database, org, call("ann", plan="pro", a=1), call("ann", plan="pro", b=2))
    with database.connect() as connection:
        work = open_work(connection, org, NOW)
        assert rows(work, end_users, "custom_fields") == [({"plan": "pro", "a": 1, "b": 2},)]
        assert [sorted(changed) for _, _, changed in written_signals(work)] == [
            ["custom:a", "custom:plan"],
            ["custom:b"],
        ]


def test_a_call_is_one_statement_and_a_session_one_more(work: Work) -> None:
    """A call takes one statement after the lock of its address, and one more with a session; plans
    are reused.
    """
    for n in range(12):
        with statements(work.connection) as seen:
            says(work, user_id=f"u{n % 4}", traits={"email": f"{n}@a.example", f"c{n}": n})
        assert len(seen) == 2
        with statements(work.connection) as seen:
            says(work, user_id=f"u{n % 4}", session_id=f"s{n}")
        assert len(seen) == 2


# In one round trip, for an organisation that the engine knows (decision 19).


@dataclass
class Caller:
    """Whoever identifies users of one organisation through one engine."""

    database: Engine
    org: OrgRef
    now: datetime = NOW
    rung: list[UUID] = field(default_factory=list)

    def __post_init__(self) -> None:
        post = PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example"))
        self.engine = HaloEngine(self.database, post, lambda: self.now, self.rung.append)

    def says(self, **call: Any) -> IdentifyAnswer:
        """Identify ``ann``, unless the call says otherwise."""
        asked = validated(IdentifyCall, {"user_id": "ann", **call}, "identify")
        in_one_trip = partial(identifying, asked)
        return self.engine.perform(self.org, partial(identify, call=asked), in_one_trip)


@pytest.fixture
def caller(shared_database: Engine) -> Caller:
    """A caller whom the engine has seen once, with a user ``ben``."""
    caller = Caller(shared_database, committed_organization(shared_database))
    caller.says(user_id="ben", traits={"plan": "pro"})
    return caller


def test_a_later_call_is_a_transaction_of_its_own_in_one_round_trip(
    shared_database: Engine, caller: Caller
) -> None:
    """A call for a cached organisation is one round trip: answered, committed, and rung for as
    ever.
    """
    first = caller.says(traits={"plan": "pro", "email": "ann@a.example"})
    with statements(shared_database) as seen:
        again = caller.says(traits={"plan": "free"})
        other = caller.says(traits={"email": "ann@a.example"})
    # One holds the address. Neither reads the organisation.
    assert len(seen) == 1 + 2
    assert other == again
    assert (first.created, again.created) == (True, False)
    assert again == first.model_copy(update={"created": False})
    with shared_database.connect() as connection:
        work = open_work(connection, caller.org, NOW)
        assert [(kind, changed) for kind, _, changed in written_signals(work)] == [
            ("created", [EVERYTHING]),
            ("created", [EVERYTHING]),
            ("changed", ["custom:plan"]),
        ]
        assert caller.rung == [work.org_id] * 4


def test_without_a_clock_the_databases_instant_counts(
    shared_database: Engine, caller: Caller
) -> None:
    """Without a given clock contact and signal have the instant of the database's statement."""
    caller.engine = replace(caller.engine, clock=None)
    caller.says(user_id="cleo")
    with statements(shared_database) as seen:
        before = datetime.now(UTC)
        answer = caller.says()
        after = datetime.now(UTC)
    assert len(seen) == 1
    assert before <= answer.created_at == answer.first_seen == answer.updated_at <= after
    with shared_database.connect() as connection:
        work = open_work(connection, caller.org, NOW)
        assert rows(work, signals, "created_at", "happened_at")[-1] == (answer.created_at,) * 2


def test_a_contact_that_grows_too_large_is_refused(shared_database: Engine, caller: Caller) -> None:
    """In one round trip a contact beyond the bound of §2 is refused, too, and nothing is
    written.
    """
    with shared_database.begin() as connection:
        add_contact(
            open_work(connection, caller.org, NOW), "ann", custom_fields={"full": "x" * 399_977}
        )
    with statements(shared_database) as seen, pytest.raises(Refusal, match="would be 400001 bytes"):
        caller.says(traits={"plan": "pro"})
    assert len(seen) == 1
    with shared_database.connect() as connection:
        assert rows(open_work(connection, caller.org, NOW), audience_fields, "key") == [("plan",)]


def test_only_what_may_be_new_is_looked_up_in_the_registry(
    shared_database: Engine, caller: Caller
) -> None:
    """A field that is known to be registered is not looked up again, unless it has yet to learn its
    type.
    """
    caller.says(traits={"plan": "pro", "seats": None})
    with statements(shared_database) as seen:
        caller.says(traits={"plan": "free"})
        caller.says(traits={"plan": "free", "seats": None})
        caller.says(traits={"plan": "free", "seats": 5})
        caller.says(traits={"plan": "pro", "seats": 6})
    assert ["audience_fields" in each for each in seen] == [False, True, True, False]
    with shared_database.connect() as connection:
        work = open_work(connection, caller.org, NOW)
        assert rows(work, audience_fields, "key", "type") == [
            ("plan", "string"),
            ("seats", "number"),
        ]


def test_a_zone_that_changed_is_heeded(shared_database: Engine, caller: Caller) -> None:
    """If the organisation's zone changed, a call reads the organisation again before it writes."""
    with shared_database.begin() as connection:
        change_organization(
            connection, _key(connection, caller.org), OrganizationSettings(timezone="Asia/Tokyo")
        )
    caller.says(traits={"renewal_date": "2026-07-01"})
    with shared_database.connect() as connection:
        [renewal] = connection.scalars(
            select(end_users.c.renewal_date).where(
                end_users.c.org_id == caller.org.id, end_users.c.external_id == "ann"
            )
        )
    assert renewal == datetime(2026, 6, 30, 15, 0, tzinfo=UTC)


def test_verification_that_was_switched_on_is_heeded(
    shared_database: Engine, caller: Caller
) -> None:
    """Once verification is switched on, a call without a token is refused and writes nothing."""
    secret = OrganizationSettings(identity_secret=SECRET)
    with shared_database.begin() as connection:
        change_organization(connection, _key(connection, caller.org), secret)
    for _ in range(2):
        with pytest.raises(Refusal) as raised:
            caller.says()
        assert raised.value.code == "user_token_required"
    with shared_database.connect() as connection:
        assert rows(open_work(connection, caller.org, NOW), end_users, "external_id") == [("ben",)]


def test_a_token_is_valid_until_it_expires(shared_database: Engine, caller: Caller) -> None:
    """A verified caller is answered with what is stored; an expired token is refused and changes
    nothing.
    """
    with shared_database.begin() as connection:
        change_organization(
            connection, _key(connection, caller.org), OrganizationSettings(identity_secret=SECRET)
        )
    token = signed({"user_id": "ben"}, SECRET, NOW, timedelta(minutes=1))
    caller.says(user_id="ben", user_token=token)
    ends = NOW + timedelta(minutes=1) + LEEWAY
    last_moment = caller.now = ends - timedelta(microseconds=1)
    with statements(shared_database) as seen:
        answer = caller.says(user_id="ben", user_token=token)
    assert len(seen) == 1
    assert answer.stored is not None
    assert answer.stored.traits["plan"] == "pro"
    caller.now = ends
    with pytest.raises(Refusal) as raised:
        caller.says(user_id="ben", user_token=token)
    assert raised.value.code == "user_token_expired"
    with shared_database.connect() as connection:
        work = open_work(connection, caller.org, NOW)
        assert rows(work, end_users, "last_seen") == [(last_moment,)]


def test_a_user_erased_meanwhile_comes_back_as_the_lead(
    shared_database: Engine, caller: Caller
) -> None:
    """A call that waited for a user who was erased meanwhile promotes the lead with its email."""
    with shared_database.begin() as connection:
        lead = add_contact(open_work(connection, caller.org, NOW), None, email="ben@a.example")
    answer = while_open(
        shared_database,
        caller.org,
        lambda work: erase_contact(work, EraseContactCall(contact="ben")),
        lambda: caller.says(user_id="ben", traits={"email": "ben@a.example"}),
    )
    assert (answer.id, answer.created) == (lead, False)
    with shared_database.connect() as connection:
        work = open_work(connection, caller.org, NOW)
        assert rows(work, end_users, "id", "external_id") == [(lead, "ben")]


def test_a_cached_organisations_bad_call_is_refused(caller: Caller) -> None:
    """A cached organisation's bad calls are refused as those of any other."""
    with pytest.raises(Refusal) as raised:
        caller.says(traits={"email": "nobody"})
    assert raised.value.code == "bad_email"


def test_a_session_is_linked(shared_database: Engine, caller: Caller) -> None:
    """A call with a session needs more than one statement, and takes the usual way."""
    caller.says(session_id="s1")
    with shared_database.connect() as connection:
        work = open_work(connection, caller.org, NOW)
        assert rows(work, contact_sessions, "session_id") == [("s1",)]


def _key(connection: Connection, org: OrgRef) -> str:
    return open_work(connection, org, NOW).org.key


# Whatever is thrown at the door.

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["2026-01-01", "tomorrow", "a@b.example", "\0", "\ud800", "annual", "true"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
NAMES = st.text(max_size=8) | st.sampled_from(
    ["name", "email", "signed_up_at", "renewal_status", "on_contract", "mrr", "id", "role", "$ne"]
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=6) | JSON


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    call=st.fixed_dictionaries(
        {"user_id": st.text(max_size=4) | JSON},
        optional={"traits": OBJECTS, "context": OBJECTS, "session_id": JSON, "user_token": JSON},
    )
)
def test_only_documented_refusals_come_out(work: Work, call: dict[str, Any]) -> None:
    """Any input is either answered or refused with 400; what is stored is what was sent."""
    with work.connection.begin_nested() as savepoint:
        try:
            answer = says(work, **call)
        except Refusal as refused_call:
            event(f"{refused_call.status} {refused_call.code}")
            if refused_call.status != 400:
                raise
        else:
            [custom] = [
                stored
                for contact, stored in rows(work, end_users, "id", "custom_fields")
                if contact == answer.id
            ]
            assert custom.keys() <= (call.get("traits") or {}).keys()
        savepoint.rollback()
