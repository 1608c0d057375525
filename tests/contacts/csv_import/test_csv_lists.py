"""Columns of a CSV file for lists and opt-outs (contract §2)."""

import pytest
from sqlalchemy import insert, select

from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.service_words import consent_in
from halo_engine.contacts.csv_import.importing import ImportCsvAnswer, ImportCsvCall, import_csv
from halo_engine.domain.errors import Refusal
from halo_engine.tables import (
    end_users,
    signals,
    subscription_members,
    subscriptions,
    suppressions,
)
from halo_engine.work import Work
from tests.contacts.sandbox import add_contact, rows, statements, written_signals

MAPPING = {
    "id": "external_id",
    "e": "email",
    "news": "list:news",
    "tips": "list:tips",
    "out": "unsubscribed",
}


@pytest.fixture(autouse=True)
def lists(work: Work) -> None:
    """The lists ``news`` and ``tips``."""
    made = [{"org_id": work.org_id, "key": key, "created_at": work.now} for key in ("news", "tips")]
    work.connection.execute(insert(subscriptions).values(made))


def imported(work: Work, *lines: str) -> ImportCsvAnswer:
    """Import lines of an ID, an email, and what they say of news, tips and all mail."""
    text = "\n".join(["id,e,news,tips,out", *lines])
    return import_csv(work, ImportCsvCall(text=text, mapping=MAPPING))


def members(work: Work) -> set[tuple[str, str]]:
    """Return who is on which list."""
    found = (
        select(end_users.c.external_id, subscriptions.c.key)
        .join(subscription_members, subscription_members.c.end_user_id == end_users.c.id)
        .join(subscriptions, subscriptions.c.id == subscription_members.c.subscription_id)
        .where(end_users.c.org_id == work.org_id)
    )
    return {(row.external_id, row.key) for row in work.connection.execute(found)}


def unsubscribed(work: Work) -> list[str]:
    """Return the addresses that have unsubscribed from everything."""
    return [address for (address,) in rows(work, suppressions, "address")]


def forget_signals(work: Work) -> None:
    """Handle all signals as if no series were there."""
    work.connection.execute(signals.delete().where(signals.c.org_id == work.org_id))


def test_a_column_puts_contacts_on_a_list_and_takes_them_off(work: Work) -> None:
    """Yes joins, no leaves, in any case and in silence; an empty cell changes nothing."""
    for name in ("ann", "ben"):
        add_contact(work, name, email=f"{name}@a.example")
        subscribe(work, SubscribeCall(contact=name, list="tips"))
    forget_signals(work)
    assert imported(work, "ann,,YES,no,", "ben,,,,", "cyd,cyd@a.example,1,,").bad == 0
    assert members(work) == {("ann", "news"), ("ben", "tips"), ("cyd", "news")}
    ids = dict(rows(work, end_users, "external_id", "id"))
    said = [(kind, contact, sorted(changed)) for kind, contact, changed in written_signals(work)]
    assert said == [
        ("created", ids["cyd"], []),
        ("silent", ids["ann"], ["list", "suppression"]),
        ("silent", ids["ann"], ["list"]),
        ("silent", ids["cyd"], ["list"]),
    ]


def test_the_same_file_again_changes_nothing(work: Work) -> None:
    """Contacts whose membership stays the same have no signal."""
    lines = ("ann,ann@a.example,yes,no,", "ben,ben@a.example,no,,", "cyd,cyd@a.example,,,yes")
    imported(work, *lines)
    forget_signals(work)
    imported(work, *lines)
    assert written_signals(work) == []
    assert (members(work), unsubscribed(work)) == ({("ann", "news")}, ["cyd@a.example"])


def test_the_last_row_of_a_contact_decides(work: Work) -> None:
    """Several rows of a contact count in their order."""
    imported(work, "ann,ann@a.example,yes,yes,", "ann,,no,,", "ann,,,no,", "ann,,,yes,")
    assert members(work) == {("ann", "tips")}


@pytest.mark.parametrize("cell", ["yes", "1", "TRUE", "2024-03-14 09:12:31", "1710494040"])
def test_an_opt_out_column_unsubscribes_from_everything(work: Work, cell: str) -> None:
    """The cell says yes, or gives a date; the contact leaves every list."""
    add_contact(work, "ann", email="Ann@a.example")
    subscribe(work, SubscribeCall(contact="ann", list="news"))
    imported(work, f"ann,,,yes,{cell}")
    assert (members(work), unsubscribed(work)) == (set(), ["ann@a.example"])


#: What mail services say of somebody, as they spell it.
GIVEN = ("Subscribed", "subscriber", "Active", "OPT_IN", "opted_in", "Soft Opt-In", "Abonné")
MISSING = (
    *("never subscribed", "NEVER_SUBSCRIBED", "Non-subscribed", "Pending", "Unconfirmed"),
    *("PendingOptIn", "Temporary hold"),
)
WITHDRAWN = (
    *("Unsubscribed", "OPT_OUT", "opted out", "Cleaned", "Bounced", "Do Not Contact"),
    *("Suppressed", "marked as spam", "Abgemeldet", "IspComplained", "Mail blocked"),
)


@pytest.mark.parametrize("cell", GIVEN)
def test_a_status_of_consent_joins_a_list(work: Work, cell: str) -> None:
    """It opts nobody out."""
    assert imported(work, f"ann,ann@a.example,{cell},,{cell}").bad == 0
    assert (members(work), unsubscribed(work)) == ({("ann", "news")}, [])


@pytest.mark.parametrize("cell", MISSING)
def test_a_status_without_consent_joins_no_list(work: Work, cell: str) -> None:
    """Who was never asked has not opted out."""
    assert imported(work, f"ann,ann@a.example,{cell},yes,{cell}").bad == 0
    assert (members(work), unsubscribed(work)) == ({("ann", "tips")}, [])


@pytest.mark.parametrize("cell", WITHDRAWN)
def test_a_status_of_who_is_not_mailed(work: Work, cell: str) -> None:
    """It leaves a list, and in a column of opt-outs unsubscribes from everything."""
    imported(work, "ann,ann@a.example,yes,yes,", "ben,ben@a.example,yes,yes,")
    assert imported(work, f"ann,,{cell},,", f"ben,,,,{cell}").bad == 0
    assert (members(work), unsubscribed(work)) == ({("ann", "tips")}, ["ben@a.example"])


@pytest.mark.parametrize("cell", ["Enabled", "disabled"])
def test_the_state_of_a_switch_is_no_status(cell: str) -> None:
    """In a column of opt-outs it would say the opposite of what it says in one of a list."""
    assert consent_in(cell) is None


def test_no_import_lifts_an_unsubscription(work: Work) -> None:
    """Neither an opt-out of no nor joining a list lifts an unsubscription; the answer says so."""
    for name in ("ann", "ben"):
        add_contact(work, name, email=f"{name}@a.example")
    unsubscribe(work, UnsubscribeCall(contact="ann"))
    answer = imported(work, "ann,,yes,,no", "ben,,yes,,no", "cyd,cyd@a.example,yes,,")
    assert (members(work), unsubscribed(work)) == (
        {("ben", "news"), ("cyd", "news")},
        ["ann@a.example"],
    )
    assert answer.warnings == ("lists: who has unsubscribed from everything is put on none",)


def test_a_cell_that_is_no_word_leaves_its_row_out(work: Work) -> None:
    """A row with an unclear opt-out is refused, since consent is never guessed."""
    answer = imported(work, "ann,ann@a.example,perhaps,,", "ben,ben@a.example,,,soon")
    assert [each.message for each in answer.errors] == [
        (
            "news: ‘perhaps’ is refused; allowed are true, yes, t, y, 1 and false, no, f, n, 0, "
            "a status such as subscribed or unsubscribed"
        ),
        (
            "unsubscribed: ‘soon’ is refused; allowed are true, yes, t, y, 1 and false, no, f, n, "
            "0, a status such as subscribed or unsubscribed, and a date for yes"
        ),
    ]
    assert rows(work, end_users, "id") == []


def test_an_unknown_list_is_refused(work: Work) -> None:
    """The refusal names the lists that exist."""
    with pytest.raises(Refusal) as raised:
        import_csv(work, ImportCsvCall(text="a\n1\n", mapping={"a": "list:new"}))
    assert str(raised.value) == "mapping: there is no list ‘new’; allowed are news, tips"


def test_lists_take_two_statements_a_page(work: Work) -> None:
    """Lists take two statements a page, however many contacts join and leave."""
    for count in (1, 200):
        lines = [f"u{n},u{n}@a.example,yes,no,{'yes' if n % 2 else ''}" for n in range(count)]
        with statements(work.connection) as seen:
            imported(work, *lines)
        assert len(seen) == 1 + 2 + 2


def test_a_bad_opt_out_is_never_left_out_alone(work: Work) -> None:
    """Leniently, a list's bad cell is left out, but a bad opt-out refuses the whole row."""
    text = "id,news,out\nann,perhaps,\nben,,perhaps\n"
    mapping = {"id": "external_id", "news": "list:news", "out": "unsubscribed"}
    answer = import_csv(work, ImportCsvCall(text=text, mapping=mapping, lenient=True))
    assert [each.line for each in answer.cell_errors] == [2]
    assert [each.line for each in answer.errors] == [3]
    assert rows(work, end_users, "external_id") == [("ann",)]
