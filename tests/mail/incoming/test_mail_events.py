"""Mails opened, clicked and replied to (contract §2: the doors' table; §5, §6)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from halo_engine.contacts.finding import Noted
from halo_engine.domain.errors import Refusal, validated
from halo_engine.mail.incoming.events import (
    MailCall,
    MailEvent,
    ReadMailCall,
    click_mail,
    note_all,
    open_mail,
    reply_to_mail,
)
from halo_engine.tables import automation_steps, end_users, messages, signals
from halo_engine.work import Work
from tests.contacts.sandbox import (
    EARLIER,
    NOW,
    add_contact,
    add_message,
    add_series,
    last_seen,
    new_organization,
    refused,
    rows,
    statements,
    written_signals,
)

Door = Callable[[Work, ReadMailCall], Noted]
DOORS: list[Door] = [open_mail, click_mail, reply_to_mail]
LATER = NOW + timedelta(days=1)
HELLO = ReadMailCall(contact="ann", series="welcome", step="hello")
NOTHING = (None, None, None)


# The rows of the doors' table.


@pytest.mark.parametrize(
    ("door", "noted", "seen", "changed"),
    [
        (open_mail, (NOW, None, None), EARLIER, ["mail"]),
        (click_mail, (None, NOW, None), EARLIER, ["mail"]),
        (reply_to_mail, (None, None, NOW), NOW, ["mail", "last_seen"]),
    ],
)
def test_what_became_of_a_mail_is_noted(
    work: Work, door: Door, noted: tuple[Any, ...], seen: Any, changed: list[str]
) -> None:
    """An event writes one stamp and one silent signal; a click is no open, and only a reply moves
    ``last_seen``.
    """
    ann = add_contact(work, "ann")
    series = add_series(work, "welcome", "hello", "bye")
    add_message(work, ann, series, "hello")
    add_message(work, ann, series, "bye")
    assert door(work, HELLO).model_dump() == {"id": ann}
    assert stamps(work) == [noted, NOTHING]
    assert last_seen(work, ann) == seen
    assert written_signals(work) == [("silent", ann, changed)]
    assert rows(work, signals, "happened_at", "created_at") == [(NOW, NOW)]


@pytest.mark.parametrize("door", [open_mail, click_mail])
def test_the_first_time_is_kept(work: Work, door: Door) -> None:
    """The first open or click is kept; each has its signal."""
    mailed(work)
    door(work, HELLO)
    before = stamps(work)
    door(replace(work, now=LATER), HELLO)
    assert stamps(work) == before
    assert len(written_signals(work)) == 2


def test_the_latest_reply_is_kept_with_its_arrival(work: Work) -> None:
    """A second reply, even within one instant, is a later arrival."""
    mailed(work)
    reply_to_mail(work, HELLO)
    [(first,)] = rows(work, messages, "reply_arrival")
    reply_to_mail(work, HELLO)
    [(second,)] = rows(work, messages, "reply_arrival")
    assert first < second
    reply_to_mail(replace(work, now=LATER), HELLO)
    assert stamps(work) == [(None, None, LATER)]


def test_a_reply_never_lowers_last_seen(work: Work) -> None:
    """A contact that was seen later stays so."""
    ann = mailed(work)
    work.connection.execute(update(end_users).where(end_users.c.id == ann).values(last_seen=LATER))
    reply_to_mail(work, HELLO)
    assert last_seen(work, ann) == LATER


# Which mail is meant.


@pytest.mark.parametrize("door", DOORS)
def test_the_latest_mail_of_the_step_is_meant(work: Work, door: Door) -> None:
    """Of two runs' mails the later run's is meant, unless it sent none yet."""
    ann = add_contact(work, "ann")
    series = add_series(work, "welcome", "hello", "bye")
    add_message(work, ann, series, "hello", run=1)
    add_message(work, ann, series, "bye", run=1)
    add_message(work, ann, series, "hello", run=2)
    door(work, HELLO)
    door(work, ReadMailCall(contact="ann", series="welcome", step="bye"))
    assert [stamp != NOTHING for stamp in stamps(work)] == [False, True, True]


@pytest.mark.parametrize("door", DOORS)
def test_a_mail_is_named_by_its_message_id(work: Work, door: Door) -> None:
    """A Message-ID names its mail, whichever is the latest."""
    ann = add_contact(work, "ann")
    series = add_series(work, "welcome", "hello")
    for number in (1, 2):
        add_message(work, ann, series, "hello", message_id=f"<{number}@halo>")
    assert door(work, ReadMailCall(message_id="<1@halo>")).id == ann
    assert [stamp != NOTHING for stamp in stamps(work)] == [True, False]


@pytest.mark.parametrize("door", DOORS)
def test_a_removed_steps_mail_is_still_meant(work: Work, door: Door) -> None:
    """Mails of a removed step are still opened, clicked and replied to."""
    mailed(work)
    work.connection.execute(
        update(automation_steps)
        .where(automation_steps.c.org_id == work.org_id)
        .values(removed_at=NOW)
    )
    door(work, HELLO)
    assert stamps(work) != [NOTHING]


@pytest.mark.parametrize("state", ["intended", "unknown"])
def test_a_mail_that_may_have_been_sent_counts(work: Work, state: str) -> None:
    """An open may overtake the note that the mail was sent, and proves that it was."""
    mailed(work, state=state, sent_at=None)
    open_mail(work, HELLO)
    assert stamps(work) == [(NOW, None, None)]


def test_a_lead_is_named_by_email(work: Work) -> None:
    """A lead is named by its email."""
    lead = add_contact(work, None, email="Lead@a.example")
    add_message(work, lead, add_series(work, "welcome", "hello"), "hello")
    call = ReadMailCall(contact="lead@a.example", series="welcome", step="hello")
    assert open_mail(work, call).id == lead


# Refusals.


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("named", "code", "message"),
    [
        ({"contact": "nobody"}, "unknown_contact", "There is no contact ‘nobody’."),
        ({"series": "none"}, "unknown_series", "There is no series ‘none’."),
        (
            {"step": "none"},
            "unknown_mail",
            "No mail of step ‘none’ of ‘welcome’ was sent to ‘ann’.",
        ),
        (
            {"step": "bye"},
            "unknown_mail",
            "No mail of step ‘bye’ of ‘welcome’ was sent to ‘ann’.",
        ),
        (
            {"contact": "ben"},
            "unknown_mail",
            "No mail of step ‘hello’ of ‘welcome’ was sent to ‘ben’.",
        ),
        (
            {"contact": "ben", "series": "none"},
            "unknown_series",
            "There is no series ‘none’.",
        ),
        (
            {"contact": None, "series": None, "step": None, "message_id": "<none>"},
            "unknown_mail",
            "There is no mail ‘<none>’.",
        ),
    ],
)
def test_what_is_named_must_be_there(
    work: Work, door: Door, named: dict[str, Any], code: str, message: str
) -> None:
    """An unknown name, and a mail that was never sent, are 404s; nothing is written."""
    mailed(work, steps=("hello", "bye"))
    add_contact(work, "ben")
    with pytest.raises(Refusal) as refusal:
        door(work, HELLO.model_copy(update=named))
    assert refusal.value.as_dict() == {"status": 404, "code": code, "message": message}
    assert stamps(work) == [NOTHING]
    assert written_signals(work) == []


@pytest.mark.parametrize("door", DOORS)
def test_a_mail_that_failed_was_never_sent(work: Work, door: Door) -> None:
    """Its ledger row is no mail that anybody could have opened."""
    mailed(work, state="failed", sent_at=None, error="550 no such user")
    with pytest.raises(Refusal, match=r"^No mail of step ‘hello’ of ‘welcome’"):
        door(work, HELLO)


@pytest.mark.parametrize("door", DOORS)
def test_another_organisations_mail_is_unknown(work: Work, door: Door) -> None:
    """A Message-ID, a contact and a series of another organisation are unknown."""
    elsewhere = new_organization(work.connection)
    mailed(elsewhere, message_id="<1@halo>")
    for call in (HELLO, ReadMailCall(message_id="<1@halo>")):
        with pytest.raises(Refusal) as refusal:
            door(work, call)
        assert refusal.value.status == 404
    assert stamps(elsewhere) == [NOTHING]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"contact": "ann"},
        {"contact": "ann", "series": "welcome"},
        {"contact": "ann", "message_id": "<1@halo>"},
        {"contact": "ann", "series": "welcome", "step": "hello", "message_id": "<1@halo>"},
    ],
)
def test_a_mail_is_named_in_one_way(data: object) -> None:
    """A mail with half a name, or two, is a 400 that says what is allowed."""
    assert refused(MailCall, data, "open") == (
        400,
        "bad_call",
        "open: contact: allowed is either contact, series and step, or a message_id",
    )


@pytest.mark.parametrize(("door", "noted"), [(open_mail, (NOW, None)), (click_mail, (None, NOW))])
def test_what_a_machine_did_is_kept_apart(work: Work, door: Door, noted: tuple[Any, ...]) -> None:
    """It is no reader's open or click, and nothing reacts to it (contract §16)."""
    mailed(work)
    for _ in range(2):
        door(work, HELLO.model_copy(update={"machine": True}))
    assert stamps(work) == [NOTHING]
    assert rows(work, messages, "machine_opened_at", "machine_clicked_at") == [noted]
    assert written_signals(work) == []


# Sets.


@pytest.mark.parametrize("event", list(MailEvent))
@pytest.mark.parametrize("size", [1, 500])
def test_a_set_of_any_size_is_one_statement(work: Work, event: MailEvent, size: int) -> None:
    """One mail and five hundred take one statement; every second call goes by Message-ID."""
    series = add_series(work, "welcome", "hello")
    calls = []
    for number in range(size):
        contact = add_contact(work, f"u{number}")
        add_message(work, contact, series, "hello", message_id=f"<{number}@halo>")
        named: Any = {"contact": f"u{number}", "series": "welcome", "step": "hello"}
        calls.append(ReadMailCall(**named if number % 2 else {"message_id": f"<{number}@halo>"}))
    with statements(work.connection) as seen:
        outcomes = note_all(event, work, calls)
    assert len(seen) == 1
    contacts = [contact_id for (contact_id,) in rows(work, end_users, "id")]
    told = [] if event.startswith("machine") else contacts
    assert [each.id for each in outcomes if isinstance(each, Noted)] == contacts
    assert [contact_id for _, contact_id, _ in written_signals(work)] == told
    assert rows(work, messages, event.value) == [(NOW,)] * size


def test_a_bad_call_spoils_no_other_of_its_set(work: Work) -> None:
    """Each call of a set has its own outcome, in its place; the valid ones are written."""
    ann = mailed(work)
    calls = [ReadMailCall(message_id="<none>"), HELLO, ReadMailCall(message_id="<none>")]
    outcomes = note_all(MailEvent.OPENED, work, calls)
    assert [each.id if isinstance(each, Noted) else each.status for each in outcomes] == [
        404,
        ann,
        404,
    ]


@pytest.mark.parametrize("door", DOORS)
def test_the_statement_works_with_a_reused_plan(work: Work, door: Door) -> None:
    """The statement does the same at its fifteenth run on a connection, when the server reuses its
    plan.
    """
    mailed(work)
    for _ in range(15):
        door(work, HELLO)
    assert len(written_signals(work)) == 15


# Hostile input.

_NAMES = st.one_of(
    st.sampled_from(["ann", "nobody", "welcome", "hello", "<1@halo>", None, "", 7]),
    st.text(max_size=300),
    st.text(st.characters(codec=None), max_size=20),
)
_KEYS = ["contact", "series", "step", "message_id"]


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(door=st.sampled_from(DOORS), body=st.dictionaries(st.sampled_from([*_KEYS, "x"]), _NAMES))
def test_any_input_is_written_or_refused(work: Work, door: Door, body: object) -> None:
    """Whatever is sent, it is written or refused."""
    if not rows(work, end_users, "id"):
        mailed(work)
    try:
        door(work, validated(ReadMailCall, body, "mail"))
    except Refusal as refusal:
        str(refusal).encode()
    assert isinstance(door(work, HELLO), Noted)


def mailed(work: Work, steps: tuple[str, ...] = ("hello",), **values: Any) -> Any:
    """Write the contact ``ann``, to whom ``welcome`` sent its first step; return its id."""
    ann = add_contact(work, "ann")
    add_message(work, ann, add_series(work, "welcome", *steps), "hello", **values)
    return ann


def stamps(work: Work) -> list[tuple[Any, ...]]:
    """Return when each mail was opened, clicked and replied to, in order of sending."""
    return rows(work, messages, "opened_at", "clicked_at", "replied_at")
