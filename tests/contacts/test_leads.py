"""The lead form, and contacts that a teammate adds (contract §2, the doors' table)."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.identifying.answers import ContactAnswer
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.contacts.identifying.leads import (
    AddContactCall,
    CaptureLeadAnswer,
    CaptureLeadCall,
    add_contact,
    capture_lead,
)
from halo_engine.domain.errors import Refusal, validated
from halo_engine.opening import open_work
from halo_engine.tables import audience_fields, end_users, signals
from halo_engine.work import Work
from tests.contacts import sandbox
from tests.contacts.racing import at_once
from tests.contacts.sandbox import (
    EARLIER,
    NOW,
    committed_organization,
    committing,
    last_seen,
    refused,
    rows,
    statements,
    while_open,
    written_signals,
)


def left(work: Work, email: Any = "lea@a.example", **call: Any) -> CaptureLeadAnswer:
    """Leave an email in the lead form."""
    return capture_lead(work, validated(CaptureLeadCall, {"email": email, **call}, "lead"))


def added(work: Work, **call: Any) -> ContactAnswer:
    """Add a contact by a teammate's hand."""
    return add_contact(work, validated(AddContactCall, call, "contact"))


# The lead form: creates a lead (`lead_form`), bumps, created → `user_created`.


def test_a_new_email_makes_a_lead(work: Work) -> None:
    """A new email creates a lead that is seen now, with one signal, whatever sign-up it names."""
    answer = left(work, traits={"name": "Lea", "signed_up_at": "2023-04-12", "size": 12})
    assert answer.model_dump(mode="json") == {"created": True, "warnings": []}
    names = ("external_id", "contact_type", "source", "name", "email", "first_seen", "last_seen")
    assert rows(work, end_users, *names) == [
        (None, "lead", "lead_form", "Lea", "lea@a.example", NOW, NOW)
    ]
    assert written_signals(work) == [("created", rows(work, end_users, "id")[0][0], [])]
    assert rows(work, audience_fields, "key", "type") == [("size", "number")]


@pytest.mark.parametrize("user_id", [None, "lea"])
def test_a_known_contact_changes_nothing_but_last_seen(work: Work, user_id: str | None) -> None:
    """A known email, in any case, moves only ``last_seen`` of its lead or user."""
    lea = sandbox.add_contact(
        work, user_id, email="Lea@a.example", name="Lea", custom_fields={"n": 1}
    )
    answer = left(work, "LEA@a.example", traits={"name": "Other", "n": 2, "new": 3})
    assert not answer.created
    assert rows(work, end_users, "id", "name", "email", "custom_fields", "source", "last_seen") == [
        (lea, "Lea", "Lea@a.example", {"n": 1}, "sdk", NOW)
    ]
    assert written_signals(work) == []
    assert rows(work, audience_fields, "key") == []


def test_of_several_contacts_the_first_is_seen(work: Work) -> None:
    """If contacts share an address, the one created first is seen."""
    ids = [sandbox.add_contact(work, name, email="us@a.example") for name in ("ann", "ben")]
    left(work, "us@a.example")
    assert [last_seen(work, each) for each in ids] == [NOW, EARLIER]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({}, (400, "missing_key", "lead.email: is required")),
        (
            {"email": "no address"},
            (
                400,
                "bad_email",
                (
                    "lead: email: ‘no address’ is not an email address; "
                    "allowed is one such as ann@acme.com"
                ),
            ),
        ),
        ({"email": None}, None),
        ({"email": ""}, None),
        ({"email": "a@b.example", "user_id": "ann"}, None),
    ],
)
def test_a_form_without_an_email_is_refused(
    call: dict[str, Any], said: tuple[int, str, str] | None
) -> None:
    """The email is required, and must be one."""
    answer = refused(CaptureLeadCall, call, "lead")
    assert answer[0] == 400
    assert said in (None, answer)


# A teammate: creates (`dashboard`), bumps nobody, created → `user_created`.


def test_a_teammate_makes_a_user(work: Work) -> None:
    """With a ``user_id`` a teammate creates a user, seen at its sign-up."""
    answer = added(
        work,
        user_id="ann",
        email="ann@a.example",
        traits={"signed_up_at": "2023-04-12", "vip": True},
    )
    assert answer.created
    assert (answer.user_id, answer.contact_type) == ("ann", "user")
    signup = "2023-04-12T00:00:00.000000+00:00"
    said = answer.model_dump(mode="json")
    assert (said["first_seen"], said["last_seen"]) == (signup, signup)
    assert answer.created_at == NOW
    assert rows(work, end_users, "source", "email", "custom_fields") == [
        ("dashboard", "ann@a.example", {"vip": True})
    ]
    assert written_signals(work) == [("created", answer.id, [])]


def test_a_teammate_makes_a_lead(work: Work) -> None:
    """With an email alone a teammate creates a lead, seen now."""
    answer = added(work, email="lea@a.example")
    assert (answer.user_id, answer.contact_type, answer.last_seen) == (None, "lead", NOW)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"user_id": "ann"}, "user_id: ‘ann’ is a contact already; allowed is one that is new"),
        (
            {"email": "ANN@a.example"},
            "email: ‘ANN@a.example’ is a contact already; allowed is one that is new",
        ),
    ],
)
def test_an_existing_contact_is_not_added_again(
    work: Work, call: dict[str, Any], message: str
) -> None:
    """An existing contact is a 409 and stays as it is, even if the caller commits."""
    ann = sandbox.add_contact(work, "ann", email="ann@a.example", name="Ann")
    with pytest.raises(Refusal) as raised:
        added(work, **call, traits={"name": "Other", "new": 1})
    assert raised.value.as_dict() == {"status": 409, "code": "contact_exists", "message": message}
    assert rows(work, end_users, "id", "name", "last_seen", "updated_at") == [
        (ann, "Ann", EARLIER, EARLIER)
    ]
    for table in (signals, audience_fields):
        assert rows(work, table, "org_id") == []


def test_a_user_may_share_an_email(work: Work) -> None:
    """A new ``user_id`` is a new contact, whoever has its email, and leads stay as they are."""
    sandbox.add_contact(work, None, email="ann@a.example")
    assert added(work, user_id="ann", email="ann@a.example").created
    assert sorted(rows(work, end_users, "contact_type")) == [("lead",), ("user",)]


def test_a_contact_without_id_and_email_is_refused() -> None:
    """A contact without a ``user_id`` and an email is refused."""
    said = "contact: user_id: is required, unless there is an email"
    assert refused(AddContactCall, {"traits": {}}, "contact") == (400, "missing_key", said)


# Races and numbers of statements.


def leaving(email: str) -> Callable[[Work], CaptureLeadAnswer]:
    """Return the action of leaving the email in the form."""
    return lambda work: left(work, email)


def test_forms_at_once_make_one_lead(database: Engine) -> None:
    """Forms at once with one email, in any case, create one lead; one says that it was created."""
    org = committed_organization(database)
    for n in range(10):
        answers = at_once(database, org, leaving(f"{n}lea@a.example"), leaving(f"{n}LEA@A.EXAMPLE"))
        assert sorted(each.created for each in answers) == [False, True]
    with database.connect() as connection:
        work = open_work(connection, org, NOW)
        assert len(rows(work, end_users, "id")) == 10
        assert [kind for kind, _, _ in written_signals(work)] == ["created"] * 10


@pytest.mark.parametrize(
    "leave",
    [
        lambda work: identify(work, IdentifyCall(user_id="ann", traits={"email": "new@a.example"})),
        lambda work: erase_contact(work, EraseContactCall(contact="ann")),
    ],
    ids=["renamed", "erased"],
)
def test_a_form_that_waited_finds_the_next_with_the_email(
    database: Engine, leave: Callable[[Work], object]
) -> None:
    """A form waits for a contact that gives up its email or is erased, and then finds the next with
    that email.
    """
    org = committed_organization(database)
    with database.begin() as connection:
        work = open_work(connection, org, NOW)
        for user in ("ann", "ben"):
            sandbox.add_contact(work, user, email="both@a.example")
    answer = while_open(
        database, org, leave, lambda: committing(database, org)(leaving("both@a.example"))
    )
    assert not answer.created
    with database.connect() as connection:
        found = rows(open_work(connection, org, NOW), end_users, "external_id", "last_seen")
    assert found[-1] == ("ben", NOW)
    assert {user for user, _ in found} <= {"ann", "ben"}


def test_each_call_is_one_statement_or_two(work: Work) -> None:
    """A call takes one statement, or two where an address is locked first; the same at its twelfth
    run.
    """
    for n in range(12):
        with statements(work.connection) as seen:
            left(work, f"{n // 2}@a.example")
            added(work, user_id=f"u{n}")
            added(work, email=f"{n}@b.example")
        assert len(seen) == 2 + 1 + 2


# Whatever is thrown at the doors.

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.just("a@b.example"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    call=st.fixed_dictionaries({"email": st.just("a@b.example") | JSON}, optional={"traits": JSON}),
    user_id=st.none() | st.text(max_size=3),
)
def test_only_documented_refusals_come_out(
    work: Work, call: dict[str, Any], user_id: str | None
) -> None:
    """Any input is answered, or refused with 400 or 409."""
    with work.connection.begin_nested() as savepoint:
        for attempt in (lambda: left(work, **call), lambda: added(work, user_id=user_id, **call)):
            try:
                attempt()
            except Refusal as refusal:
                event(f"{refusal.status} {refusal.code}")
                if refusal.status not in (400, 409):
                    raise
        savepoint.rollback()
