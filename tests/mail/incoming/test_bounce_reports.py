"""Mails that came back are counted by reason, and those for good suppress (contract §2)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from halo_engine.answers.reports.profile import profile
from halo_engine.contacts.consent.unsuppress import UnsuppressCall, unsuppress
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.mail.incoming.bounce_reports import FULL_FOR, FULL_REPORTS, note_bounces
from halo_engine.mail.reading.bounces import Bounce
from halo_engine.tables import bounce_reports, signals, suppressions
from halo_engine.work import Work
from tests.contacts.sandbox import NOW, add_contact, add_message, add_series, rows, statements

FULL = Bounce(for_good=False, reason=BounceReason.MAILBOX_FULL)
BLOCKED = Bounce(for_good=False, reason=BounceReason.BLOCKLIST)
UNKNOWN = Bounce(for_good=True, reason=BounceReason.USER_UNKNOWN)
A_WEEK = timedelta(days=7)


@pytest.fixture
def mails(work: Work) -> list[int]:
    """Mails to Ann, who has changed her address since the last of them, and one to Bob."""
    ann = add_contact(work, "ann", email="ann@a.example")
    bob = add_contact(work, "bob", email="bob@a.example")
    series = add_series(work, "welcome", "hello")
    return [
        add_message(work, contact, series, "hello", run, to_address=address)
        for run, (contact, address) in enumerate(
            [
                (ann, "Ann@a.example"),
                (ann, "ann@a.example"),
                (ann, "old@a.example"),
                (bob, "bob@b.example"),
            ]
        )
    ]


def suppressed(work: Work) -> list[str]:
    """Return the addresses that get no mail."""
    return [address for (address,) in rows(work, suppressions, "address")]


def full_after(work: Work, mail: int, *ages: timedelta) -> list[bool]:
    """Report a full mailbox at these instants; return whether each suppressed."""
    return [bool(note_bounces(replace(work, now=NOW + age), {mail: FULL})) for age in ages]


def test_bounces_of_several_mails_are_one_statement(work: Work, mails: list[int]) -> None:
    """Each is kept; one for good suppresses the address that the mail was sent to."""
    first, _, old, bobs = mails
    with statements(work.connection) as seen:
        gone = note_bounces(work, {first: BLOCKED, old: UNKNOWN, bobs: UNKNOWN, 0: UNKNOWN})
    assert len(seen) == 1
    assert gone == [old, bobs]
    assert suppressed(work) == ["bob@b.example", "old@a.example"]
    assert rows(work, bounce_reports, "recipient_id", "reason", "for_good", "reported_at") == [
        (first, "blocklist", False, NOW),
        (old, "user_unknown", True, NOW),
        (bobs, "user_unknown", True, NOW),
    ]
    assert rows(work, signals, "id") == [], "nobody has those addresses now"


def test_a_profile_counts_bounces_by_reason(work: Work, mails: list[int]) -> None:
    """The most frequent comes first; only this contact's count."""
    for bounces in ({mails[0]: FULL, mails[3]: FULL}, {mails[0]: BLOCKED}, {mails[2]: FULL}):
        note_bounces(work, bounces)
    ann = rows(work, bounce_reports.metadata.tables["end_users"], "id")[0][0]
    assert profile(work, ann).bounces == {"mailbox_full": 2, "blocklist": 1}


def test_a_mailbox_that_was_full_for_long_is_suppressed(work: Work, mails: list[int]) -> None:
    """The fifth report, thirty days after the first, suppresses it; exits react."""
    assert (5, timedelta(days=30)) == (FULL_REPORTS, FULL_FOR)
    ages = [A_WEEK * week for week in range(4)]
    assert full_after(work, mails[0], *ages, FULL_FOR) == [False] * 4 + [True]
    assert suppressed(work) == ["ann@a.example"]
    assert len(rows(work, signals, "id")) == 1


@pytest.mark.parametrize(
    "ages",
    [
        [timedelta(0), A_WEEK, A_WEEK * 2, A_WEEK * 5],
        [timedelta(0), *[A_WEEK] * 8, FULL_FOR - timedelta(seconds=1)],
    ],
)
def test_too_few_reports_or_too_short_a_time_suppress_nothing(
    work: Work, mails: list[int], ages: list[timedelta]
) -> None:
    """Four reports over five weeks, or ten within a second less than thirty days."""
    assert not any(full_after(work, mails[0], *ages))
    assert suppressed(work) == []


def test_only_reports_of_that_address_and_reason_count(work: Work, mails: list[int]) -> None:
    """Ann's earlier address and other reasons do not count for her mailbox."""
    full_after(work, mails[2], *[timedelta(0)] * 4)
    note_bounces(work, dict.fromkeys(mails[:2], BLOCKED))
    assert full_after(work, mails[0], FULL_FOR) == [False]
    assert full_after(work, mails[1], *[A_WEEK * 5] * 3) == [False] * 3
    assert full_after(work, mails[1], FULL_FOR * 2) == [True], "both mails were sent to it"


def test_reports_before_an_operator_lifted_it_no_longer_count(work: Work, mails: list[int]) -> None:
    """Five more suppress it again."""
    full_after(work, mails[0], *[timedelta(0)] * 4, FULL_FOR)
    assert suppressed(work) == ["ann@a.example"]
    later = replace(work, now=NOW + FULL_FOR)
    lift = UnsuppressCall(contact="ann", because="tidied up")
    unsuppress(later, lift)
    assert full_after(work, mails[0], *[FULL_FOR] * 4) == [False] * 4
    assert full_after(work, mails[0], FULL_FOR * 2) == [True]
