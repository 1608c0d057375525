"""What happened to a contact, in order."""

from typing import Any

import pytest
from sqlalchemy import insert, update

from halo_engine.answers.reports.timeline import Entry, Timeline, timeline
from halo_engine.domain.errors import Refusal
from halo_engine.tables import automation_enrollments, enrollment_refusals, events
from tests.answers.sandbox import Sandbox
from tests.contacts.sandbox import add_message


def lived(sandbox: Sandbox) -> None:
    """Let everything that a timeline tells of happen to ann, an hour apart; some of it to bob."""
    sandbox.add("ann", "bob")
    sandbox.series(entry_trigger="manual")
    sandbox.wait(hours=1)
    fired = {"end_user_id": sandbox.ids["ann"], "name": "paid", "live": True}
    sandbox.work.connection.execute(
        insert(events).values(
            org_id=sandbox.work.org_id,
            properties={"plan": "pro"},
            happened_at=sandbox.work.now,
            created_at=sandbox.work.now,
            **fired,
        )
    )
    sandbox.wait(hours=1)
    now, series = sandbox.work.now, sandbox.saved().id
    sent: dict[str, Any] = {"intended_at": now, "sent_at": now, "opened_at": now}
    add_message(sandbox.work, sandbox.ids["ann"], series, "hello", **sent)
    failed: dict[str, Any] = {
        "state": "failed",
        "sent_at": None,
        "error": "550 no",
        "intended_at": now,
    }
    add_message(sandbox.work, sandbox.ids["bob"], series, "hello", **failed)
    sandbox.wait(hours=1)
    runs = automation_enrollments
    sandbox.work.connection.execute(
        update(runs)
        .where(runs.c.end_user_id == sandbox.ids["ann"])
        .values(converted_at=sandbox.work.now)
    )
    sandbox.wait(hours=1)
    sandbox.end("ann")
    sandbox.wait(hours=1)
    sandbox.work.connection.execute(
        insert(enrollment_refusals).values(
            org_id=sandbox.work.org_id,
            automation_id=series,
            end_user_id=sandbox.ids["ann"],
            code="already_enrolled",
            refused_at=sandbox.work.now,
            arrival=10**12,
        )
    )
    sandbox.wait(hours=1)
    sandbox.left("ann", "email")


def entries_of(page: Timeline) -> list[tuple[Any, ...]]:
    """Return what each entry says, without its instant and number."""
    return [(each.what, each.series, each.step, each.number, each.said) for each in page.items]


ANN = [
    ("signal_waits", None, None, None, "changed"),
    ("refused", "s", None, None, "already_enrolled"),
    ("left", "s", None, 1, "manual"),
    ("converted", "s", None, 1, None),
    ("opened", "s", "hello", 1, None),
    ("mail_sent", "s", "hello", 1, None),
    ("event", None, None, None, "paid"),
    ("entered", "s", None, 1, None),
]


def test_everything_that_happened_to_a_contact_is_told_latest_first(sandbox: Sandbox) -> None:
    """Entries come latest first; each says what happened, in which series, step and run, and
    why.
    """
    lived(sandbox)
    page = timeline(sandbox.work, sandbox.ids["ann"])
    assert entries_of(page) == ANN
    assert page.items[6].properties == {"plan": "pro"}
    assert page.next is None


def test_another_contacts_failed_mail_says_why(sandbox: Sandbox) -> None:
    """Bob's timeline says why his mail failed, and holds nothing of Ann's."""
    lived(sandbox)
    assert entries_of(timeline(sandbox.work, sandbox.ids["bob"])) == [
        ("mail_failed", "s", "hello", 1, "550 no"),
        ("entered", "s", None, 1, None),
    ]


@pytest.mark.parametrize("size", [1, 3])
def test_each_entry_is_on_one_page(sandbox: Sandbox, size: int) -> None:
    """Each entry is on exactly one page, even if several happened at one instant."""
    lived(sandbox)
    whole = timeline(sandbox.work, sandbox.ids["ann"]).items
    seen: list[Entry] = []
    page = timeline(sandbox.work, sandbox.ids["ann"], size=size)
    while page.next is not None:
        seen += page.items
        page = timeline(sandbox.work, sandbox.ids["ann"], after=page.next, size=size)
    assert (*seen, *page.items) == whole


@pytest.mark.parametrize(
    "cursor", ["", "1", "2026-06-01/x/left", "never/1/left", "2026-06-01/1/no"]
)
def test_a_cursor_of_nobody_is_refused(sandbox: Sandbox, cursor: str) -> None:
    """Only the `next` of a page is accepted as a cursor."""
    sandbox.add("ann")
    with pytest.raises(Refusal) as refusal:
        timeline(sandbox.work, sandbox.ids["ann"], after=cursor)
    assert (refusal.value.status, refusal.value.code) == (400, "bad_cursor")
