"""An operator lifts what suppresses an address, by name, and it is kept who did (contract §2)."""

from typing import Any

import pytest

from halo_engine.audit import Via
from halo_engine.contacts.complaints import complain
from halo_engine.contacts.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.lists import SubscribeCall, UnsubscribeCall, subscribe, unsubscribe
from halo_engine.contacts.subscriptions import create_list
from halo_engine.contacts.suppression import BounceCall, ComplaintCall, bounce
from halo_engine.contacts.unsuppress import UnsuppressCall, Unsuppressed, unsuppress
from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.instants import format_instant
from halo_engine.tables import (
    audit_log,
    erased_suppressions,
    signals,
    subscription_members,
    suppressions,
)
from halo_engine.work import OrgRef, Work, open_work
from tests.contacts.stage import NOW, add_contact, add_message, add_series, rows

SINCE = format_instant(NOW)


def lifted(work: Work, contact: str = "ann") -> Unsuppressed:
    """Lift it, as an operator."""
    call = UnsuppressCall(contact=contact, because="asked by phone", by="eve")
    return unsuppress(work, call, Via.COMMAND)


def causes(work: Work) -> list[tuple[Any, ...]]:
    """Return which addresses are suppressed, and since when for what."""
    return rows(work, suppressions, "address", "bounced_at", "unsubscribed_at", "complained_at")


def test_a_bounce_is_lifted_and_audited(work: Work) -> None:
    """Every contact with the address reacts; the log keeps the causes, who lifted them and why."""
    ann = add_contact(work, "ann", email="Ann@a.example")
    add_contact(work, "twin", email="ann@A.example")
    bounce(work, BounceCall(contact="ann"))
    before = len(rows(work, signals, "id"))
    assert lifted(work) == Unsuppressed(id=ann, lifted={"bounced_at": SINCE})
    assert causes(work) == []
    assert len(rows(work, signals, "id")) == before + 2
    columns = ("at", "by", "via", "action", "target", "before", "after")
    assert rows(work, audit_log, *columns) == [
        (
            NOW,
            "eve",
            "command",
            "contacts.unsuppress",
            str(ann),
            {"bounced_at": SINCE},
            {"because": "asked by phone"},
        )
    ]


def test_subscribing_lifts_neither_a_bounce_nor_a_complaint(work: Work) -> None:
    """It lifts only the unsubscription; an operator lifts the others."""
    ann = add_contact(work, "ann", email="ann@a.example")
    create_list(work, "news")
    complain(work, ComplaintCall(contact="ann"))
    assert causes(work) == [("ann@a.example", None, NOW, NOW)]
    subscribe(work, SubscribeCall(contact="ann", list="news"))
    assert causes(work) == [("ann@a.example", None, None, NOW)]
    bounce(work, BounceCall(contact="ann"))
    unsubscribe(work, UnsubscribeCall(contact="ann"))
    subscribe(work, SubscribeCall(contact="ann", list="news"))
    assert causes(work) == [("ann@a.example", NOW, None, NOW)]
    assert lifted(work).lifted == {"bounced_at": SINCE, "complained_at": SINCE}
    assert (lifted(work).id, causes(work)) == (ann, [])


def test_a_complaint_about_a_mail_leaves_everything(work: Work) -> None:
    """It suppresses the address that the mail was sent to and the one that the contact has now."""
    ann = add_contact(work, "ann", email="new@a.example")
    create_list(work, "news")
    subscribe(work, SubscribeCall(contact="ann", list="news"))
    series = add_series(work, "welcome", "hello")
    add_message(work, ann, series, "hello", message_id="<1@a>", to_address="Old@a.example")
    assert complain(work, ComplaintCall(message_id="<1@a>")).id == ann
    assert causes(work) == [
        ("new@a.example", None, NOW, NOW),
        ("old@a.example", None, NOW, NOW),
    ]
    assert rows(work, subscription_members, "end_user_id") == []


def test_where_nothing_is_suppressed_nothing_is_written(work: Work) -> None:
    """The answer says so."""
    ann = add_contact(work, "ann", email="ann@a.example")
    assert lifted(work) == Unsuppressed(id=ann, lifted={})
    assert (rows(work, audit_log, "id"), rows(work, signals, "id")) == ([], [])


def test_the_hash_of_an_erased_address_is_lifted_by_the_address(work: Work) -> None:
    """A contact that comes with it again is not suppressed; the log does not name the address."""
    add_contact(work, "ann", email="ann@a.example")
    complain(work, ComplaintCall(contact="ann"))
    erase_contact(work, EraseContactCall(contact="ann"))
    again = open_work(work.connection, OrgRef(id=work.org_id), NOW)
    assert rows(again, erased_suppressions, "unsubscribed_at", "complained_at") == [(NOW, NOW)]
    assert lifted(again, "Ann@A.example") == Unsuppressed(
        id=None, lifted={"unsubscribed_at": SINCE, "complained_at": SINCE}
    )
    assert rows(again, erased_suppressions, "address_hash") == []
    assert rows(again, audit_log, "target") == [(None,)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"contact": "nobody"}, "There is no contact ‘nobody’."),
        ({"contact": "bare"}, "contact: ‘bare’ has no email; allowed is a contact that has one"),
    ],
)
def test_who_cannot_be_lifted(work: Work, call: dict[str, Any], message: str) -> None:
    """Each refusal names what is allowed."""
    add_contact(work, "bare")
    with pytest.raises(Refusal) as refused:
        lifted(work, **call)
    assert refused.value.message == message


@pytest.mark.parametrize("because", ["", "  ", "a\x00", "x" * 256, None])
def test_a_reason_is_text(because: object) -> None:
    """A reason that is blank, too long, missing or holds NUL is refused by name."""
    call = {"contact": "ann", "because": because}
    with pytest.raises(Refusal, match="because: "):
        validated(UnsuppressCall, call, "unsuppress")
