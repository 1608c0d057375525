"""Links that scanners follow are machines' clicks, whichever process answered them (§16)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from halo_engine.domain.machines import JUDGED_AFTER
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.mail.incoming.followed import Followed, note_followed
from halo_engine.mail.incoming.scanning import judge_links
from halo_engine.tables import followed_links, messages
from halo_engine.work import Work
from tests.contacts.sandbox import (
    NOW,
    add_contact,
    add_message,
    add_series,
    committed_organization,
    committing,
    rows,
    statements,
    written_signals,
)

PERSON = "Mozilla/5.0 (iPhone) Safari/604.1"
APPLE = "Mozilla/5.0"


def seconds(number: float) -> timedelta:
    """Return so many seconds."""
    return timedelta(seconds=number)


def mailed(work: Work, number: int = 1, **values: Any) -> int:
    """Write a contact to whom a mail was sent; return the mail's number."""
    contact = add_contact(work, f"u{number}")
    series = add_series(work, f"s{number}", "hello")
    return add_message(work, contact, series, "hello", sent_at=NOW, **values)


def followed(work: Work, mail: int, url: str = "/a", after: float = 0, **values: Any) -> Followed:
    """Return a click on a link of a mail, so many seconds after ``NOW``."""
    token = MailToken(Purpose.CLICK, work.org_id, mail, url.encode())
    return Followed(token, NOW + seconds(after), PERSON, **values)


def judged(work: Work, at: datetime = NOW + timedelta(minutes=1)) -> int:
    """Judge what was followed, a minute later or ``at``."""
    return judge_links(replace(work, now=at))


def clicks(work: Work) -> Sequence[tuple[Any, ...]]:
    """Return when people and machines clicked, for each mail."""
    return rows(work, messages, "clicked_at", "machine_clicked_at")


@pytest.mark.parametrize(
    ("others", "is_machine"),
    [
        ([], False),
        ([("/a", 0.5)], False),
        ([("/b", 1)], True),
        ([("/b", -1)], True),
        ([("/b", 1.01)], False),
        ([("/a", 0.2), ("/b", 0.9)], True),
        ([("/b", -1), ("/a", -0.5), ("/c", 5)], True),
    ],
)
def test_different_links_within_a_second_were_scanned(
    work: Work, others: list[tuple[str, float]], *, is_machine: bool
) -> None:
    """Different links within a second are a scanner's, whichever process answered; one link twice
    may be a double click.
    """
    mail = mailed(work)
    for url, after in [("/a", 0.0), *others]:
        note_followed(work, [followed(work, mail, url, after)])
    judged(work)
    [(by_person, by_machine)] = clicks(work)
    at = {"/a": min([0, *(after for url, after in others if url == "/a")])}
    assert (by_machine is not None) is is_machine
    if not is_machine:
        assert by_person == NOW + seconds(at["/a"])


def test_a_click_counts_later_at_its_own_instant(work: Work) -> None:
    """A click is noted once it is judged, at its own instant, with one signal."""
    mail = mailed(work)
    note_followed(work, [followed(work, mail, after=-0.5), followed(work, mail, after=0)])
    assert judged(work, NOW + JUDGED_AFTER - seconds(0.1)) == 0
    assert clicks(work) == [(None, None)]
    assert judged(work, NOW + JUDGED_AFTER) == 2
    assert clicks(work) == [(NOW - seconds(0.5), None)]
    assert judged(work) == 0
    assert [kind for kind, _, _ in written_signals(work)] == ["silent"]


def test_a_persons_later_click_counts(work: Work) -> None:
    """A person's click after a scanner's counts; a request that calls itself a machine's never
    does.
    """
    mail = mailed(work)
    scan = [followed(work, mail, url) for url in ("/a", "/b")]
    head = followed(work, mail, "/a", -9, machine=True)
    note_followed(work, [head, *scan, followed(work, mail, "/b", 30)])
    judged(work)
    assert clicks(work) == [(NOW + seconds(30), NOW - seconds(9))]


def test_the_link_to_unsubscribe_is_one_of_a_mails_links(work: Work) -> None:
    """The unsubscribe link helps to detect a scanner, and is itself no click."""
    mail = mailed(work)
    leave = Followed(MailToken(Purpose.UNSUBSCRIBE, work.org_id, mail), NOW, PERSON)
    note_followed(work, [leave, followed(work, mail)])
    note_followed(work, [replace(leave, token=replace(leave.token, recipient_id=mailed(work, 2)))])
    judged(work)
    assert clicks(work) == [(None, NOW), (None, None)]


def test_what_is_noted_late_is_compared_with_what_was_judged(work: Work) -> None:
    """A late note is compared with judged clicks; after a minute these are deleted."""
    mail = mailed(work)
    note_followed(work, [followed(work, mail, "/a")])
    judged(work, NOW + JUDGED_AFTER)
    late = replace(work, now=NOW + seconds(20))
    note_followed(late, [followed(work, mail, "/b", 0.5)])
    judged(work, late.now + JUDGED_AFTER)
    assert clicks(work) == [(NOW, NOW + seconds(0.5))]
    judged(work, NOW + timedelta(minutes=5))
    assert rows(work, followed_links, "id") == []


@pytest.mark.parametrize(
    ("agent", "after", "machine", "column"),
    [
        (PERSON, 5, False, "opened_at"),
        (APPLE, 5, False, "machine_opened_at"),
        (APPLE, 3_601, False, "opened_at"),
        (PERSON, 5, True, "machine_opened_at"),
    ],
)
def test_an_open_is_noted_at_once(
    work: Work, agent: str, after: float, column: str, *, machine: bool
) -> None:
    """An open is noted at once, as a person's or a machine's: Apple's proxy fetches soon after
    delivery.
    """
    token = MailToken(Purpose.OPEN, work.org_id, mailed(work))
    note_followed(work, [Followed(token, NOW + seconds(after), agent, machine)])
    [noted] = rows(work, messages, "opened_at", "machine_opened_at")
    assert dict(zip(("opened_at", "machine_opened_at"), noted, strict=True)) == {
        "opened_at": None,
        "machine_opened_at": None,
        column: NOW + seconds(after),
    }


@pytest.mark.parametrize("size", [1, 200])
def test_a_set_of_any_size_is_judged_in_three_statements(work: Work, size: int) -> None:
    """A set is judged in three statements and stored in one; a deleted mail is skipped."""
    mails = [mailed(work, number) for number in range(size)]
    some = [followed(work, mail, url) for mail in mails for url in ("/a", "/b")]
    people = followed(work, mails[0], "/a", 10)
    with statements(work.connection) as seen:
        note_followed(work, [*some, people, followed(work, 999_999_999)])
        judged(work)
    assert len(seen) == 4
    assert clicks(work) == [(NOW + seconds(10), NOW), *[(None, NOW)] * (size - 1)]


def test_workers_judge_beside_each_other(shared_database: Engine) -> None:
    """Two workers judge side by side: neither waits, and each click is noted once."""
    org = committed_organization(shared_database, "ann")
    transact = committing(shared_database, org)

    def scan(work: Work) -> None:
        mail = mailed(work)
        note_followed(work, [followed(work, mail, url) for url in ("/a", "/b")])

    transact(scan)
    taken: list[int] = []

    def judge(work: Work) -> None:
        taken.append(judged(work))
        transact(lambda other: taken.append(judged(other)))

    transact(judge)
    assert taken == [2, 0]
