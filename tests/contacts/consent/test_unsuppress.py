"""An operator lifts what suppresses an address, by name (contract §2)."""

from typing import Any

import pytest
from sqlalchemy import text

from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.subscriptions import create_list
from halo_engine.contacts.consent.suppression import BounceCall, ComplaintCall, bounce
from halo_engine.contacts.consent.unsuppress import UnsuppressCall, Unsuppressed, unsuppress
from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.times.instants import format_instant
from halo_engine.mail.incoming.complaints import complain
from halo_engine.opening import open_work
from halo_engine.tables import (
    erased_suppressions,
    signals,
    subscription_members,
    suppressions,
)
from halo_engine.work import OrgRef, Work
from tests.contacts.sandbox import NOW, add_contact, add_message, add_series, rows
from tests.plans.touched import touched

SINCE = format_instant(NOW)


def lifted(work: Work, contact: str = "ann") -> Unsuppressed:
    """Lift it, as an operator."""
    call = UnsuppressCall(contact=contact, because="asked by phone")
    return unsuppress(work, call)


def causes(work: Work) -> list[tuple[Any, ...]]:
    """Return which addresses are suppressed, and since when for what."""
    return rows(work, suppressions, "address", "bounced_at", "unsubscribed_at", "complained_at")


def test_a_bounce_is_lifted(work: Work) -> None:
    """Lifting a bounce signals every contact with the address, and answers the causes."""
    ann = add_contact(work, "ann", email="Ann@a.example")
    add_contact(work, "twin", email="ann@A.example")
    bounce(work, BounceCall(contact="ann"))
    before = len(rows(work, signals, "id"))
    assert lifted(work) == Unsuppressed(id=ann, lifted={"bounced_at": SINCE})
    assert causes(work) == []
    assert len(rows(work, signals, "id")) == before + 2


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
    """If nothing is suppressed, the answer says so and nothing is written."""
    ann = add_contact(work, "ann", email="ann@a.example")
    assert lifted(work) == Unsuppressed(id=ann, lifted={})
    assert rows(work, signals, "id") == []


def test_the_hash_of_an_erased_address_is_lifted_by_the_address(work: Work) -> None:
    """Lifting an erased address deletes its hash; the log does not name the address."""
    add_contact(work, "ann", email="ann@a.example")
    complain(work, ComplaintCall(contact="ann"))
    erase_contact(work, EraseContactCall(contact="ann"))
    again = open_work(work.connection, OrgRef(id=work.org_id), NOW)
    assert rows(again, erased_suppressions, "unsubscribed_at", "complained_at") == [(NOW, NOW)]
    assert lifted(again, "Ann@A.example") == Unsuppressed(
        id=None, lifted={"unsubscribed_at": SINCE, "complained_at": SINCE}
    )
    assert rows(again, erased_suppressions, "address_hash") == []


def test_lifting_looks_at_reports_and_not_at_all_mail(work: Work) -> None:
    """However many mails were sent, only those that came back are compared with the address."""
    series = add_series(work, "welcome", "hello")
    add_message(work, add_contact(work, "ann", email="ann@a.example"), series, "hello")
    bounce(work, BounceCall(contact="ann"))
    work.connection.execute(
        text(
            "INSERT INTO messages (org_id, recipient_id, end_user_id, automation_id, "
            "enrollment_number, step_id, state, message_id, to_address, intended_at, sent_at) "
            "SELECT org_id, recipient_id + i, end_user_id, automation_id, enrollment_number, "
            "step_id, state, message_id || i, to_address || i, intended_at, sent_at "
            "FROM messages, generate_series(1, 3000) i WHERE org_id = :org"
        ),
        {"org": work.org_id},
    )
    work.connection.execute(
        text(
            "INSERT INTO bounce_reports (org_id, recipient_id, reason, for_good, reported_at) "
            "SELECT org_id, recipient_id, 'mailbox_full', false, intended_at FROM messages "
            "WHERE org_id = :org LIMIT 20"
        ),
        {"org": work.org_id},
    )
    # Other tests leave statistics of other rows behind.
    work.connection.execute(text("ANALYZE messages, bounce_reports"))
    with touched(work.connection) as statements:
        assert "bounced_at" in lifted(work).lifted
    assert sum(each.rows for each in statements) < 300


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"contact": "nobody"}, "There is no contact ‘nobody’."),
        ({"contact": "bare"}, "contact: ‘bare’ has no email; allowed is a contact that has one"),
    ],
)
def test_an_address_that_cannot_be_lifted_is_refused(
    work: Work, call: dict[str, Any], message: str
) -> None:
    """Each refusal says what is allowed."""
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
