"""Identifying companies (contract §2: the doors' table, and Identify)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from halo_engine.contacts.companies.identify import (
    IdentifyCompanyAnswer,
    IdentifyCompanyCall,
    identify_company,
)
from halo_engine.contacts.companies.rows import GivenCompany, write_companies
from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.fields.traits import Traits
from halo_engine.opening import open_work
from halo_engine.tables import audience_fields, companies, end_users, signals
from halo_engine.work import Work
from tests.contacts.hostile import json_with, texts_among
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
)

A_DAY = timedelta(days=1)


def identify(work: Work, **data: Any) -> IdentifyCompanyAnswer:
    """Identify the company ``acme``, unless another is given."""
    return identify_company(work, validated(IdentifyCompanyCall, {"id": "acme", **data}, "company"))


# The row of the doors' table.


def test_a_company_is_created(work: Work) -> None:
    """The first call creates the company; it has no members, so no signal is written."""
    answer = identify(work, traits={"name": "Acme", "mrr": 4900, "tier": "gold"})
    [(company_id,)] = rows(work, companies, "id")
    assert answer.model_dump(mode="json") == {
        "id": str(company_id),
        "company_id": "acme",
        "created": True,
        "created_at": "2026-06-01T09:00:00.000000+00:00",
        "updated_at": "2026-06-01T09:00:00.000000+00:00",
        "warnings": [],
    }
    assert rows(work, companies, "external_id", "name", "mrr", "custom_fields") == [
        ("acme", "Acme", 4900, {"tier": "gold"})
    ]
    assert signals_of(work) == []


def test_no_contact_is_created(work: Work) -> None:
    """An unknown user is a 404 that names it, and the company is not written either."""
    with pytest.raises(Refusal) as refusal:
        identify(work, user_id="nobody", traits={"tier": "gold"})
    assert refusal.value.as_dict() == {
        "status": 404,
        "code": "unknown_contact",
        "message": "There is no contact ‘nobody’.",
    }
    for table in (companies, end_users, signals, audience_fields):
        assert rows(work, table, "org_id") == []


def test_a_known_company_is_left_alone_for_an_unknown_user(work: Work) -> None:
    """A call for an unknown user is a 404 and changes nothing of its company."""
    identify(work, traits={"tier": "gold"})
    with pytest.raises(Refusal):
        identify(work, user_id="nobody", traits={"tier": "lead", "new": 1})
    assert rows(work, companies, "custom_fields") == [({"tier": "gold"},)]
    assert rows(work, audience_fields, "key") == [("tier",)]


def test_a_move_is_told_of_the_contact(work: Work) -> None:
    """A user who joins a company has one signal, and ``last_seen`` stays."""
    ann = add_contact(work, "ann")
    answer = identify(work, user_id="ann", traits={"tier": "gold"})
    assert rows(work, end_users, "company_id") == [(answer.id,)]
    assert signals_of(work) == [("changed", ann, None, ["company_id"])]
    assert last_seen(work, ann) == EARLIER


def test_a_contact_is_in_one_company_at_a_time(work: Work) -> None:
    """Joining a second company leaves the first; joining the same one again is no move."""
    ann = add_contact(work, "ann")
    identify(work, user_id="ann")
    other = identify(work, id="other", user_id="ann")
    identify(work, id="other", user_id="ann")
    assert rows(work, end_users, "company_id") == [(other.id,)]
    assert signals_of(work) == [("changed", ann, None, ["company_id"])] * 2


def test_changed_traits_are_told_once_for_all_contacts(work: Work) -> None:
    """A change of a company with three contacts writes one signal, with the changed keys."""
    company_id = identify(work, traits={"tier": "gold", "mrr": 1}).id
    for name in ("ann", "ben", "cyd"):
        identify(work, user_id=add_user(work, name))
    forget_signals(work)
    identify(
        work, traits={"tier": "lead", "mrr": 1.0, "arr": 12, "renewal_date": "2026-07-01", "x": 0}
    )
    assert signals_of(work) == [
        (
            "company_changed",
            None,
            company_id,
            [
                "company.renewal_date",
                "company.arr",
                "company.custom:tier",
                "company.custom:x",
            ],
        )
    ]
    assert rows(work, signals, "happened_at", "created_at") == [(NOW, NOW)]


def test_a_move_precedes_the_change(work: Work) -> None:
    """If one call moves the user and changes the company, the contact's signal comes first."""
    company = identify(work).id
    ann = add_contact(work, "ann")
    identify(work, user_id="ann", traits={"tier": "gold"})
    assert signals_of(work) == [
        ("changed", ann, None, ["company_id"]),
        ("company_changed", None, company, ["company.custom:tier"]),
    ]


def test_the_same_again_changes_nothing(work: Work) -> None:
    """Traits with the stored values are no change, and ``updated_at`` stays."""
    traits = {
        "name": "Acme",
        "signed_up_at": "2026-01-01",
        "renewal_date": "2026-07-01T08:00:00Z",
        "renewal_status": "at_risk",
        "contract_term": "annual",
        "payment_terms": "monthly",
        "on_contract": True,
        "mrr": 0.1,
        "arr": 1.2,
        "nested": {"a": [1, None]},
        "nothing": None,
    }
    identify(work, traits=traits)
    again = identify(replace(work, now=NOW + A_DAY), traits=traits)
    assert (again.created, again.updated_at) == (False, "2026-06-01T09:00:00.000000+00:00")
    assert signals_of(work) == []


# Merging.


def test_traits_merge(work: Work) -> None:
    """A given key overwrites, a missing one stays; ``null`` overwrites all but ``signed_up_at``."""
    identify(
        work,
        traits={"name": "Acme", "mrr": 1, "signed_up_at": "2026-01-01", "a": {"b": 1}, "c": 1},
    )
    answer = identify(
        replace(work, now=NOW + A_DAY),
        traits={"mrr": None, "signed_up_at": None, "a": {"d": 2}, "e": None},
    )
    assert rows(work, companies, "name", "mrr", "signed_up_at", "custom_fields") == [
        ("Acme", None, datetime(2026, 1, 1, tzinfo=UTC), {"a": {"d": 2}, "c": 1, "e": None})
    ]
    assert (answer.created, answer.created_at, answer.updated_at) == (
        False,
        "2026-06-01T09:00:00.000000+00:00",
        "2026-06-02T09:00:00.000000+00:00",
    )
    assert signals_of(work)[0][3] == ["company.mrr", "company.custom:a", "company.custom:e"]


def test_dates_are_read_on_the_organisations_clock(work: Work) -> None:
    """A date alone is its midnight there (contract §1)."""
    berlin = new_organization(work.connection, timezone="Europe/Berlin")
    identify(berlin, traits={"renewal_date": "2026-06-01"})
    assert rows(berlin, companies, "renewal_date") == [(datetime(2026, 5, 31, 22, tzinfo=UTC),)]


def test_email_is_a_custom_field_of_a_company(work: Work) -> None:
    """A company's email is a custom field, since companies have no address."""
    identify(work, traits={"email": "not an address"})
    assert rows(work, companies, "custom_fields") == [({"email": "not an address"},)]


@pytest.mark.parametrize(
    ("settings_", "taken"),
    [
        ({"mrr_mode": "manual", "stripe_connected": False}, True),
        ({"mrr_mode": "manual", "stripe_connected": True}, True),
        ({"mrr_mode": "stripe", "stripe_connected": False}, True),
        ({"mrr_mode": "stripe", "stripe_connected": True}, False),
    ],
)
def test_revenue_is_ignored_where_it_comes_from_stripe(
    work: Work, settings_: dict[str, Any], taken: bool
) -> None:
    """Where Stripe sets the revenue, a call's is ignored with a warning, and the rest is
    written.
    """
    own = new_organization(work.connection, **settings_)
    answer = identify(own, traits={"name": "Acme", "mrr": 1, "arr": 12})
    assert rows(own, companies, "name", "mrr", "arr") == [
        ("Acme", 1, 12) if taken else ("Acme", None, None)
    ]
    ignored = tuple(f"{name} is ignored: it comes from Stripe" for name in ("mrr", "arr"))
    assert answer.warnings == (() if taken else ignored)


# The registry of custom fields.


def test_custom_fields_are_registered_with_the_type_seen(work: Work) -> None:
    """A custom field is registered with the type seen first; one seen as null learns its type
    later.
    """
    identify(
        work,
        traits={
            "text": "a",
            "number": 1,
            "fraction": 0.5,
            "truth": True,
            "day": "2026-06-01",
            "list": [],
            "object": {},
            "nothing": None,
            "name": "a column",
        },
    )
    identify(work, traits={"text": 1, "nothing": 2, "number": None})
    identify(work, traits={"nothing": "text"})
    assert rows(work, audience_fields, "entity", "key", "type") == [
        ("company", "day", "date"),
        ("company", "fraction", "number"),
        ("company", "list", "array"),
        ("company", "nothing", "number"),
        ("company", "number", "number"),
        ("company", "object", "object"),
        ("company", "text", "string"),
        ("company", "truth", "boolean"),
    ]


# Refusals.

IDS = "allowed are 1 to 255 characters, not blank"


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ({}, "missing_key", "company.id: is required"),
        (
            {"id": " "},
            "bad_id",
            f"company: id: ‘ ’ is refused; {IDS}",
        ),
        (
            {"id": "acme", "user_id": "x" * 256},
            "bad_id",
            f"company: user_id: ‘{'x' * 59}…’ is refused; {IDS}",
        ),
        (
            {"id": "acme", "traits": []},
            "bad_input",
            "company.traits: a list is refused; allowed is an object",
        ),
        (
            {"id": "acme", "name": "Acme"},
            "unknown_key",
            "company.name: unknown key; allowed are id, traits, user_id, sent_at",
        ),
    ],
)
def test_what_is_not_a_call_is_refused(data: object, code: str, message: str) -> None:
    """Each refusal is a 400 that names the field and what is allowed (contract §11)."""
    assert refused(IdentifyCompanyCall, data, "company") == (400, code, message)


@pytest.mark.parametrize(
    ("traits", "code"),
    [
        ({"company_id": "other"}, "reserved_trait"),
        ({"renewal_status": "maybe"}, "bad_trait"),
        ({"mrr": "N/A"}, "bad_trait"),
        ({"mrr": 10**400}, "bad_number"),
        ({"signed_up_at": "now"}, "bad_date"),
        ({"a": "\0"}, "bad_text"),
        ({"a": "x" * 20_000}, "too_large"),
    ],
)
def test_traits_that_are_refused_write_nothing(
    work: Work, traits: dict[str, Any], code: str
) -> None:
    """A bad trait is a 400, the company is not written, and the user is not moved."""
    add_contact(work, "ann")
    with pytest.raises(Refusal) as refusal:
        identify(work, user_id="ann", traits={"name": "Acme", **traits})
    assert (refusal.value.status, refusal.value.code) == (400, code)
    assert rows(work, companies, "id") == []
    assert rows(work, end_users, "company_id") == [(None,)]


def test_organisations_are_apart(work: Work) -> None:
    """The same ids in two organisations are two companies and two users."""
    elsewhere = new_organization(work.connection)
    for each in (work, elsewhere):
        identify(each, user_id=add_user(each, "ann"), traits={"key": each.org.key})
    for each in (work, elsewhere):
        assert rows(each, companies, "custom_fields") == [({"key": each.org.key},)]
        assert len(signals_of(each)) == 1


# Races and sets.


def test_a_race_of_creations_is_one_company(shared_database: Engine) -> None:
    """Eight at once make one company with the traits of all, and say created once."""
    org = committed_organization(shared_database, *[f"u{n}" for n in range(8)])
    start = Barrier(8)

    def run(number: int) -> bool:
        start.wait()
        return run_in_transaction(
            shared_database,
            lambda connection: identify(
                open_work(connection, org, NOW), user_id=f"u{number}", traits={f"t{number}": 1}
            ),
        ).created

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(run, range(8))) == [False] * 7 + [True]
    with shared_database.connect() as connection:
        work = open_work(connection, org, NOW)
        assert rows(work, companies, "custom_fields") == [({f"t{n}": 1 for n in range(8)},)]
        [(company_id,)] = rows(work, companies, "id")
        assert rows(work, end_users, "company_id") == [(company_id,)] * 8


def test_a_change_is_told_against_what_was_waited_for(shared_database: Engine) -> None:
    """A call that waited for another's change merges with it, and announces only what is still
    new.
    """
    org = committed_organization(shared_database)
    with shared_database.begin() as connection:
        identify(open_work(connection, org, NOW), traits={"tier": "lead"})
    overtaken(
        shared_database,
        org,
        lambda work: identify(work, traits={"tier": "gold", "a": 1}),
        lambda work: identify(work, traits={"tier": "gold", "b": 1}),
    )
    with shared_database.connect() as connection:
        work = open_work(connection, org, NOW)
        assert rows(work, companies, "custom_fields") == [({"tier": "gold", "a": 1, "b": 1},)]
        assert [changed for *_, changed in signals_of(work)] == [
            ["company.custom:a", "company.custom:tier"],
            ["company.custom:b"],
        ]


def test_a_race_of_moves_leaves_the_contact_in_one(shared_database: Engine) -> None:
    """A user whom four companies claim at once is in one, and has a signal for each move."""
    org = committed_organization(shared_database, "ann")
    start = Barrier(4)

    def run(number: int) -> UUID:
        start.wait()
        return run_in_transaction(
            shared_database,
            lambda connection: identify(
                open_work(connection, org, NOW), id=f"c{number}", user_id="ann"
            ),
        ).id

    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(run, range(4)))
    with shared_database.connect() as connection:
        work = open_work(connection, org, NOW)
        [(company_id,)] = rows(work, end_users, "company_id")
        assert company_id in ids
        assert len(signals_of(work)) == 4


@pytest.mark.parametrize("size", [1, 500])
def test_a_set_of_any_size_is_one_statement(work: Work, size: int) -> None:
    """A set of one and a set of five hundred companies each take one statement, users included."""
    for number in range(size):
        add_contact(work, f"u{number}")
    accounts = [
        GivenCompany(f"c{n}", Traits({"name": f"C{n}"}, {"tier": n}), f"u{n}") for n in range(size)
    ]
    with statements(work.connection) as seen:
        written = write_companies(work, accounts)
    assert len(seen) == 1
    assert [each.ordinal for each in written] == list(range(size))
    assert [row[:2] for row in signals_of(work)] == [
        ("changed", contact_id) for (contact_id,) in rows(work, end_users, "id")
    ]
    assert sorted(rows(work, end_users, "external_id", "company_id")) == sorted(
        (f"u{each.ordinal}", each.id) for each in written
    )


def test_the_statement_works_with_a_reused_plan(work: Work) -> None:
    """The statement does the same at its fifteenth run on a connection, when the server reuses its
    plan.
    """
    add_contact(work, "ann")
    for number in range(15):
        identify(work, user_id="ann", traits={"n": number, "mrr": number})
    assert rows(work, companies, "mrr", "custom_fields") == [(14, {"n": 14})]
    assert len(signals_of(work)) == 15


# Hostile input.

_TEXTS = texts_among(["ann", "nobody", "acme", "name", "mrr", "2026-05-31", "at_risk", "id"])
_JSON = json_with(_TEXTS)
_BODIES = st.fixed_dictionaries(
    {"id": st.one_of(st.sampled_from(["acme", "b"]), _JSON)},
    optional={
        "traits": st.one_of(st.dictionaries(_TEXTS, _JSON, max_size=4), _JSON),
        "user_id": st.one_of(st.just("ann"), _JSON),
        "surprise": _JSON,
    },
)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=_BODIES)
def test_any_input_is_written_or_refused(work: Work, body: dict[str, Any]) -> None:
    """Any input is written or refused, and a valid call after it is written."""
    if not rows(work, end_users, "id"):
        add_contact(work, "ann")
    try:
        answer = identify(work, **body)
    except Refusal as refusal:
        assert refusal.status in (400, 404)  # noqa: PT017 -- most bodies are not refused alike
        str(refusal).encode()
    else:
        assert answer.company_id == body["id"]
    assert identify(work, id="sound", user_id="ann").company_id == "sound"


def add_user(work: Work, user_id: str) -> str:
    """Write a contact, and return the external ID that it has."""
    add_contact(work, user_id)
    return user_id


def forget_signals(work: Work) -> None:
    """Handle all signals as if no series were there."""
    work.connection.execute(signals.delete().where(signals.c.org_id == work.org_id))


def signals_of(work: Work) -> list[tuple[Any, ...]]:
    """Return the organisation's signals in order of arrival: kind, whose, what changed."""
    return rows(work, signals, "kind", "end_user_id", "company_id", "changed")
