"""A call that comes late undoes nothing (contract §2)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.csv_import.importing import ImportCsvCall, import_csv
from halo_engine.contacts.identifying.identify import (
    IdentifyAnswer,
    IdentifyCall,
    identify,
    identifying,
)
from halo_engine.contacts.identifying.sync import SyncCall, sync
from halo_engine.contacts.identifying.update import UpdateCall, update
from halo_engine.contacts.sending_order import LARGEST_NOTES
from halo_engine.domain.errors import Refusal, validated
from halo_engine.engine import Engine as HaloEngine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.opening import open_work
from halo_engine.pipeline.due import PostOffice
from halo_engine.rehearsal.tokens import signed
from halo_engine.tables import companies, end_users
from halo_engine.work import Work
from tests.contacts.sandbox import (
    NOW,
    add_contact,
    committed_organization,
    rows,
    statements,
    written_signals,
)

MINUTE = timedelta(minutes=1)
SECRET = "a-secret-of-at-least-thirty-two-bytes!"


def ago(minutes: float) -> str:
    """Return the instant so many minutes before ``NOW``."""
    return (NOW - minutes * MINUTE).isoformat()


def says(work: Work, sent: float | None = None, **call: Any) -> IdentifyAnswer:
    """Identify ``ann`` by a call that was sent so many minutes ago, if that is known."""
    sent_at = None if sent is None else ago(sent)
    data = {"user_id": "ann", "sent_at": sent_at, **call}
    return identify(work, validated(IdentifyCall, data, "identify"))


def known(work: Work) -> tuple[Any, ...]:
    """Return what is known of the only contact."""
    [found] = rows(work, end_users, "name", "email", "custom_fields", "context")
    return found


def test_a_late_identify_changes_only_what_was_not_said_since(work: Work) -> None:
    """A late call leaves the fields alone that a later call gave: columns, custom fields and
    context.
    """
    says(work, sent=1, traits={"name": "New", "plan": "pro"}, context={"tab": "new"})
    old = {"name": "Old", "email": "old@a.example", "plan": "free", "seats": 3}
    says(work, sent=2, traits=old, context={"tab": "old", "page": "old"})
    fields, context = {"plan": "pro", "seats": 3}, {"tab": "new", "page": "old"}
    assert known(work) == ("New", "old@a.example", fields, context)
    changes = [changed for _, _, changed in written_signals(work)]
    assert changes == [["*"], ["email", "custom:seats"]]


def test_a_null_that_was_said_since_stays(work: Work) -> None:
    """A null that a later call gave stays."""
    says(work, sent=1, traits={"name": None, "plan": None})
    says(work, sent=2, traits={"name": "Old", "plan": "free"})
    assert known(work) == (None, None, {"plan": None}, {})


def test_a_value_that_was_said_again_counts_as_said_then(work: Work) -> None:
    """After free, pro, free the value stays free, though pro arrives last."""
    for sent, plan in ((3, "free"), (1, "free"), (2, "pro")):
        says(work, sent=sent, traits={"plan": plan})
    assert known(work)[2] == {"plan": "free"}


def test_a_call_without_a_sending_time_was_sent_now(work: Work) -> None:
    """A call without a sending time counts as sent now: it overwrites, and late calls do not undo
    it.
    """
    says(work, sent=1, traits={"plan": "free"})
    says(work, traits={"plan": "pro"})
    says(work, sent=1, traits={"plan": "free"})
    assert known(work)[2] == {"plan": "pro"}


def test_a_clock_that_is_ahead_means_now(work: Work) -> None:
    """A sending time in the future counts as now."""
    says(work, sent=-60, traits={"plan": "free"})
    says(replace(work, now=NOW + MINUTE), traits={"plan": "pro"})
    assert known(work)[2] == {"plan": "pro"}


def test_a_late_call_is_seen_when_it_was_sent(work: Work) -> None:
    """A late call never lowers ``last_seen`` nor raises ``first_seen``; it may create a contact."""
    assert says(work, sent=5).created
    seen = partial(rows, work, end_users, "created_at", "first_seen", "last_seen")
    assert seen() == [(NOW, NOW - 5 * MINUTE, NOW - 5 * MINUTE)]
    says(work, sent=2)
    says(work, sent=7)
    assert seen() == [(NOW, NOW - 7 * MINUTE, NOW - 2 * MINUTE)]


def test_a_lead_is_promoted_by_a_late_call(work: Work) -> None:
    """A late call promotes the lead, and the newer name stays."""
    lead = add_contact(work, None, email="ann@a.example")
    sync(
        work,
        SyncCall(
            source="crm",
            contacts=[{"email": "ann@a.example", "traits": {"name": "New"}}],
            sent_at=ago(1),
        ),
    )
    answer = says(work, sent=2, traits={"email": "ANN@a.example", "name": "Old", "plan": "pro"})
    assert (answer.id, answer.created, answer.contact_type) == (lead, False, "user")
    assert known(work) == ("New", "ann@a.example", {"plan": "pro"}, {})


def test_batches_and_files_keep_the_order_of_sending_too(work: Work) -> None:
    """Late updates and imports leave newer values alone, and newer calls overwrite theirs."""
    proven = replace(work, org=replace(work.org, identity_secret=SECRET))
    token = signed({"scope": "users.update"}, SECRET, NOW, timedelta(minutes=5))

    def updates(sent: float, **traits: Any) -> None:
        users = [{"user_id": "ann", "traits": traits}]
        update(proven, UpdateCall(users=users, user_token=token, sent_at=ago(sent)))

    def imports(sent: float, plan: str) -> None:
        mapping = {"ID": "external_id", "Plan": "plan"}
        text = f"ID,Plan\nann,{plan}\n"
        import_csv(work, ImportCsvCall(text=text, mapping=mapping, sent_at=ago(sent)))

    says(work, sent=10, traits={"plan": "identified", "a": 1})
    updates(11, plan="older", a=0, b=0)
    assert known(work)[2] == {"plan": "identified", "a": 1, "b": 0}
    imports(9, "imported")
    updates(9.5, plan="older")
    imports(9.5, "older")
    says(work, sent=9.5, traits={"plan": "older"})
    assert known(work)[2]["plan"] == "imported"
    updates(8, plan="updated")
    imports(8.5, "older")
    assert known(work)[2]["plan"] == "updated"


def test_an_address_that_a_late_batch_gives_in_vain_is_free(work: Work) -> None:
    """If a late batch's email is not taken by its user, the next contact of the batch with it is a
    lead.
    """
    says(work, sent=1, traits={"email": "new@a.example"})
    contacts = [
        {"user_id": "ann", "email": "old@a.example"},
        {"email": "old@a.example", "traits": {"plan": "trial"}},
    ]
    answer = sync(work, SyncCall(source="crm", contacts=contacts, sent_at=ago(2)))
    assert (answer.created, answer.updated) == (1, 1)
    assert rows(work, end_users, "external_id", "email", "custom_fields") == [
        ("ann", "new@a.example", {}),
        (None, "old@a.example", {"plan": "trial"}),
    ]


def company(work: Work) -> tuple[Any, ...]:
    """Return the company that ``ann`` is in, and what is known of it."""
    of_ann = select(companies.c.external_id, companies.c.name, companies.c.custom_fields)
    joined = of_ann.join(end_users, end_users.c.company_id == companies.c.id)
    return tuple(work.connection.execute(joined.where(end_users.c.org_id == work.org_id)).one())


def test_a_late_company_changes_nothing_newer_and_moves_nobody_back(work: Work) -> None:
    """Traits are compared field by field; the user stays in the company it joined later."""
    add_contact(work, "ann")

    def says(id_: str, sent: float, **traits: Any) -> None:
        call = IdentifyCompanyCall(id=id_, traits=traits, user_id="ann", sent_at=ago(sent))
        identify_company(work, call)

    says("old", 5, name="Old", tier="silver")
    says("new", 3, name="New", tier="gold")
    says("new", 4, name="Older", tier="bronze", seats=3)
    assert company(work) == ("new", "New", {"tier": "gold", "seats": 3})
    says("old", 3.5, name="Renamed")
    assert company(work)[0] == "new"
    assert rows(work, companies, "name") == [("Renamed",), ("New",)]
    says("old", 2)
    assert company(work)[0] == "old"


def test_after_a_week_a_call_only_fills_in(work: Work) -> None:
    """A call more than a week late only fills empty fields, since notes are not kept longer."""
    says(work, sent=60 * 24 * 9, traits={"plan": "free", "name": "Ann"})
    says(work, sent=60, traits={"seats": 1})
    says(work, sent=60 * 24 * 8, traits={"plan": "pro", "name": None, "email": "a@b.example"})
    assert known(work) == ("Ann", "a@b.example", {"plan": "free", "seats": 1}, {})


def test_notes_are_bounded(work: Work) -> None:
    """Calls with ever new fields clear the notes; a late call then only fills empty fields."""
    for number in range(300):
        says(work, sent=300 - number, traits={f"field{number:03}": "new"})
    [(notes,)] = rows(work, end_users, "field_times")
    assert len(json.dumps(notes)) < 2 * LARGEST_NOTES
    says(work, sent=299.5, traits={"field000": "late", "field001": "older", "more": "late"})
    custom = known(work)[2]
    assert (custom["field000"], custom["field001"], custom["more"]) == ("new", "new", "late")


def test_a_late_call_that_clears_the_notes_hides_no_later_call(work: Work) -> None:
    """A late call whose names are too long to note still leaves newer values alone."""
    says(work, traits={"plan": "new"})
    for prefix in ("a", "b", "c"):
        says(work, traits=dict.fromkeys(long_names(prefix, 18), "new"))
    says(work, sent=3, traits=dict.fromkeys(long_names("d", 22), "late"))
    [(notes,)] = rows(work, end_users, "field_times")
    assert list(notes) == [""]
    says(work, sent=2, traits={"plan": "late"})
    assert known(work)[2]["plan"] == "new"


def long_names(prefix: str, count: int) -> list[str]:
    """Return so many names of a hundred characters."""
    return [f"{prefix}{number:02}".ljust(100, "x") for number in range(count)]


def test_a_transaction_that_waited_does_not_set_the_clock_back(work: Work) -> None:
    """A transaction that began before the last write does not lower ``updated_at``, so late calls
    stay late.
    """
    before, after = (replace(work, now=NOW + minutes * MINUTE) for minutes in (-2, 1))
    says(work, traits={"plan": "pro"})
    says(before, traits={"seats": 1})
    says(after, sent=1, traits={"plan": "free"})
    assert known(work)[2] == {"plan": "pro", "seats": 1}

    def company_says(at: Work, sent: float | None = None, **traits: Any) -> None:
        sent_at = None if sent is None else ago(sent)
        call = IdentifyCompanyCall(id="acme", traits=traits, user_id="ann", sent_at=sent_at)
        identify_company(at, call)

    company_says(work, tier="gold")
    company_says(before, seats=2)
    company_says(after, sent=1, tier="silver")
    assert company(work)[2] == {"tier": "gold", "seats": 2}


def test_an_invalid_sending_time_is_refused(work: Work) -> None:
    """The 400 names the field, and nothing is written."""
    with pytest.raises(Refusal, match="sent_at: ‘yesterday’ is not a date"):
        identify(work, IdentifyCall(user_id="ann", sent_at="yesterday"))
    naive = {"user_id": "ann", "sent_at": datetime(2026, 6, 1)}  # noqa: DTZ001
    with pytest.raises(Refusal, match="sent_at: a datetime without an offset is refused"):
        validated(IdentifyCall, naive, "identify")
    aware = {"user_id": "ann", "sent_at": datetime(2026, 6, 1, tzinfo=UTC)}
    identify(work, validated(IdentifyCall, aware, "identify"))
    assert rows(work, end_users, "last_seen") == [(datetime(2026, 6, 1, tzinfo=UTC),)]


def test_in_one_round_trip_order_of_sending_holds_too(shared_database: Engine) -> None:
    """A call in order takes one round trip; a call that may be late takes the usual way."""
    org = committed_organization(shared_database, "ann")
    post = PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example"))
    engine = HaloEngine(shared_database, post, lambda: NOW)

    def call(sent: float, **traits: Any) -> int:
        asked = IdentifyCall(user_id="ann", traits=traits, sent_at=ago(sent))
        with statements(shared_database) as seen:
            engine.perform(org, partial(identify, call=asked), partial(identifying, asked))
        return len(seen)

    call(9, plan="first")
    call(8, plan="second", name="Ann")
    assert call(0, plan="new") == 1
    assert call(5, plan="old", seats=2) > 1
    with shared_database.connect() as connection:
        found = rows(open_work(connection, org, NOW), end_users, "name", "custom_fields")
    assert found == [("Ann", {"plan": "new", "seats": 2})]


#: Few fields and values, so that calls meet; null is a value like any other.
_VALUES = st.sampled_from([None, 1, 2, "a"])
_CALLS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "traits": st.dictionaries(st.sampled_from(["x", "y", "z"]), _VALUES, max_size=3),
            "named": st.sampled_from([None, "Ann", "Bea"]),
            "context": st.dictionaries(st.sampled_from(["x", "tab"]), _VALUES, max_size=2),
        },
    ),
    min_size=2,
    max_size=6,
)


def deliver(work: Work, calls: Sequence[tuple[int, Mapping[str, Any]]]) -> tuple[Any, ...]:
    """Identify a new user by calls, each with its minute of sending; return what is known."""
    user = f"user-{len(rows(work, end_users, 'id'))}"
    for minute, call in calls:
        traits = dict(call.get("traits", {}))
        if "named" in call:
            traits["name"] = call["named"]
        says(work, sent=10 - minute, user_id=user, traits=traits, context=call.get("context"))
    found = rows(
        work,
        end_users,
        "external_id",
        "name",
        "custom_fields",
        "context",
        "first_seen",
        "last_seen",
    )
    [rest] = [rest for user_id, *rest in found if user_id == user]
    return tuple(rest)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(calls=_CALLS, data=st.data())
def test_in_whatever_order_calls_come_the_contact_is_the_same(
    work: Work, calls: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Calls that arrive in any order leave what their order of sending leaves."""
    sent = list(enumerate(calls))
    assert deliver(work, data.draw(st.permutations(sent))) == deliver(work, sent)
