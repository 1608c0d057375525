"""The links in a mail: leaving, opening, clicking, by token (contract §3, §5, §9)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.consent.lists import SubscribeCall, subscribe
from halo_engine.contacts.consent.subscriptions import create_list
from halo_engine.contacts.consent.suppression import BounceCall, bounce
from halo_engine.contacts.erasure.organizations import erase_organization
from halo_engine.domain.errors import Refusal
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.engine import Engine as HaloEngine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.incoming.events import MailCall, reply_to_mail
from halo_engine.mail.incoming.links import (
    FollowCall,
    click_by_link,
    look_at_link,
    open_by_link,
    unsubscribe_by_link,
)
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.tables import (
    automations,
    end_users,
    messages,
    subscription_members,
    subscriptions,
    suppressions,
)
from halo_engine.work import OrgRef, Work
from tests.contacts.sandbox import (
    NOW,
    add_contact,
    add_message,
    add_series,
    committing,
    new_organization,
    rows,
    written_signals,
)

LATER = NOW + timedelta(days=1)
URL = "https://acme.example/a?b=c"
ADDRESS = "ann@a.example"


def call(work: Work, purpose: Purpose, recipient_id: int, about: bytes = b"") -> FollowCall:
    """Return the call of a link that this organisation signed."""
    token = MailToken(purpose, work.org_id, recipient_id, about)
    return FollowCall(token=token.signed(work.org.mail_key))


def mailed(work: Work, **values: Any) -> tuple[UUID, int]:
    """Write the contact ``ann``, on two lists, to whom ``welcome`` was sent; return both ids."""
    ann = add_contact(work, "ann", email=ADDRESS)
    for key in ("news", "tips"):
        create_list(work, key)
        subscribe(work, SubscribeCall(contact="ann", list=key))
    return ann, add_message(work, ann, add_series(work, "welcome", "hello"), "hello", **values)


def list_id(work: Work, key: str) -> bytes:
    """Return a list's id as tokens hold it."""
    [found] = [id_ for id_, name in rows(work, subscriptions, "id", "key") if name == key]
    return UUID(str(found)).bytes


def lists_left(work: Work) -> int:
    """Return how many memberships there still are."""
    return len(rows(work, subscription_members, "end_user_id"))


def test_a_link_of_a_list_series_leaves_that_list(work: Work) -> None:
    """The link of a list series leaves that list alone; exits react at once."""
    ann, mail = mailed(work)
    before = len(written_signals(work))
    answer = unsubscribe_by_link(work, call(work, Purpose.UNSUBSCRIBE, mail, list_id(work, "news")))
    assert answer.model_dump() == {"id": ann, "list": "news"}
    left = rows(work, subscription_members, "end_user_id", "subscription_id")
    assert left == [(ann, UUID(bytes=list_id(work, "tips")))]
    assert rows(work, suppressions, "address") == []
    changed = ["list", "suppression", "list:news"]
    assert written_signals(work)[before:] == [("changed", ann, changed)]


def test_any_other_link_leaves_everything(work: Work) -> None:
    """Any other link leaves every list and suppresses the address; each contact with it has a
    signal.
    """
    ann, mail = mailed(work)
    ben = add_contact(work, "ben", email="ANN@a.example")
    before = len(written_signals(work))
    answer = unsubscribe_by_link(work, call(work, Purpose.UNSUBSCRIBE, mail))
    assert answer.model_dump() == {"id": ann, "list": None}
    assert lists_left(work) == 0
    assert rows(work, suppressions, "address", "unsubscribed_at", "bounced_at") == [
        (ADDRESS, NOW, None)
    ]
    assert [contact for _, contact, _ in written_signals(work)[before:]] == [ann, ben]


def test_the_address_written_to_and_the_present_one_are_left(work: Work) -> None:
    """The link suppresses the address the mail went to and the contact's present one."""
    ann, mail = mailed(work, to_address="Old@a.example")
    unsubscribe_by_link(work, call(work, Purpose.UNSUBSCRIBE, mail))
    assert rows(work, suppressions, "address") == [(ADDRESS,), ("old@a.example",)]
    work.connection.execute(update(end_users).where(end_users.c.id == ann).values(email=None))
    assert unsubscribe_by_link(work, call(work, Purpose.UNSUBSCRIBE, mail)).id == ann


def test_opening_and_clicking_are_noted(work: Work) -> None:
    """The first open and click are kept, and a click is answered with its URL."""
    ann, mail = mailed(work)
    assert open_by_link(work, call(work, Purpose.OPEN, mail)).id == ann
    later = replace(work, now=LATER)
    clicked = click_by_link(later, call(work, Purpose.CLICK, mail, URL.encode()))
    assert clicked.model_dump() == {"id": ann, "url": URL}
    open_by_link(later, call(work, Purpose.OPEN, mail))
    assert rows(work, messages, "opened_at", "clicked_at") == [(NOW, LATER)]


def test_a_mail_of_an_earlier_run_is_meant(work: Work) -> None:
    """A mail whose recipient row was cleared by re-enrollment is found in the send log."""
    ann, mail = mailed(work)
    add_message(work, ann, rows(work, automations, "id")[0][0], "hello", run=2)
    open_by_link(work, call(work, Purpose.OPEN, mail))
    assert unsubscribe_by_link(work, call(work, Purpose.UNSUBSCRIBE, mail)).id == ann
    assert rows(work, messages, "opened_at") == [(NOW,), (None,)]


def test_looking_changes_nothing(work: Work) -> None:
    """Looking says what the token is for and whether it is done."""
    _, mail = mailed(work)
    before = written_signals(work)
    news = list_id(work, "news")
    name = work.org.name
    of_list = call(work, Purpose.UNSUBSCRIBE, mail, news)
    shown = {"name": name, "address": ADDRESS, "list": None, "done": False, "url": None}
    looks = {
        of_list: {**shown, "purpose": "unsubscribe", "list": "news"},
        call(work, Purpose.UNSUBSCRIBE, mail): {**shown, "purpose": "unsubscribe"},
        call(work, Purpose.OPEN, mail): {**shown, "purpose": "open"},
        call(work, Purpose.CLICK, mail, URL.encode()): {**shown, "purpose": "click", "url": URL},
    }
    for each, said in looks.items():
        assert look_at_link(work, each).model_dump() == said
    assert written_signals(work) == before
    assert lists_left(work) == 2
    unsubscribe_by_link(work, of_list)
    assert look_at_link(work, of_list).done
    assert not look_at_link(work, call(work, Purpose.UNSUBSCRIBE, mail)).done
    unsubscribe_by_link(work, call(work, Purpose.UNSUBSCRIBE, mail))
    assert look_at_link(work, call(work, Purpose.UNSUBSCRIBE, mail)).done


def test_of_an_erased_contact_nothing_is_written(work: Work) -> None:
    """For an erased contact nothing is written, and a click still has its URL."""
    _, mail = mailed(work)
    erase_contact(work, EraseContactCall(contact="ann"))
    before = written_signals(work)
    leave = call(work, Purpose.UNSUBSCRIBE, mail)
    assert unsubscribe_by_link(work, leave).id is None
    assert open_by_link(work, call(work, Purpose.OPEN, mail)).id is None
    clicked = click_by_link(work, call(work, Purpose.CLICK, mail, URL.encode()))
    assert (clicked.id, clicked.url) == (None, URL)
    looked = look_at_link(work, leave)
    assert (looked.address, looked.done) == (None, True)
    assert written_signals(work) == before
    assert rows(work, suppressions, "address") == []


@pytest.mark.parametrize(
    ("door", "purpose"),
    [
        (unsubscribe_by_link, Purpose.UNSUBSCRIBE),
        (open_by_link, Purpose.OPEN),
        (click_by_link, Purpose.CLICK),
    ],
)
def test_what_this_organisation_did_not_sign_for_this_is_refused(
    work: Work, door: Callable[[Work, FollowCall], Any], purpose: Purpose
) -> None:
    """A token of another purpose or organisation, or none, is a 401 and writes nothing."""
    _, mail = mailed(work)
    before = written_signals(work)
    elsewhere = new_organization(work.connection)
    forged = [call(work, other, mail) for other in Purpose if other is not purpose]
    forged += [
        FollowCall(token=MailToken(purpose, work.org_id, mail).signed(elsewhere.org.mail_key)),
        FollowCall(token=MailToken(purpose, work.org_id, mail).signed(bytes(32))),
        FollowCall(token=MailToken(purpose, elsewhere.org_id, mail).signed(elsewhere.org.mail_key)),
        FollowCall(token="eyJhbGciOiJub25lIn0.e30."),
    ]
    for each in forged:
        for follow in (door, look_at_link):
            if follow is look_at_link and each in forged[: len(Purpose) - 1]:
                continue
            with pytest.raises(Refusal) as refusal:
                follow(work, each)
            assert (refusal.value.status, refusal.value.code) == (401, "bad_token")
    assert written_signals(work) == before
    assert rows(work, messages, "opened_at", "clicked_at") == [(None, None)]


# Any order, any number of times.

_DOORS: Mapping[str, Callable[[Work, int], object]] = {
    "leave the list": lambda work, mail: unsubscribe_by_link(
        work, call(work, Purpose.UNSUBSCRIBE, mail, list_id(work, "news"))
    ),
    "leave everything": lambda work, mail: unsubscribe_by_link(
        work, call(work, Purpose.UNSUBSCRIBE, mail)
    ),
    "open": lambda work, mail: open_by_link(work, call(work, Purpose.OPEN, mail)),
    "click": lambda work, mail: click_by_link(work, call(work, Purpose.CLICK, mail, b"https://a")),
    "reply": lambda work, _: reply_to_mail(work, MailCall(message_id="<1@halo>")),
    "bounce": lambda work, _: bounce(work, BounceCall(message_id="<1@halo>")),
}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    turns=st.sets(st.sampled_from(list(_DOORS)), min_size=1).flatmap(
        lambda doors: st.tuples(
            st.permutations(sorted(doors)), st.lists(st.sampled_from(sorted(doors)), max_size=6)
        )
    )
)
def test_the_order_makes_no_difference(work: Work, turns: tuple[list[str], list[str]]) -> None:
    """Any doors in any order, and again in any other, end as each once: the first instant is kept,
    of a reply the latest.
    """
    first, again = turns
    once = _played(work, [(door, NOW) for door in sorted(first)])
    shuffled = _played(work, [(door, NOW) for door in (*first, *again)])
    assert shuffled == once
    late = _played(work, [*((door, NOW) for door in first), *((door, LATER) for door in again)])
    replied = LATER if "reply" in again else NOW if "reply" in first else None
    assert late == {**once, "replied_at": replied}


def _played(work: Work, turns: list[tuple[str, Any]]) -> dict[str, Any]:
    """Play doors at their instants on a new stage that goes afterwards; return what came of it."""
    with work.connection.begin_nested() as savepoint:
        org = new_organization(work.connection)
        _, mail = mailed(org, message_id="<1@halo>")
        for door, at in turns:
            _DOORS[door](replace(org, now=at), mail)
        stamps = ("opened_at", "clicked_at", "replied_at")
        [noted] = rows(org, messages, *stamps)
        suppressed = rows(org, suppressions, "address", "bounced_at", "unsubscribed_at")
        found = {
            **dict(zip(stamps, noted, strict=True)),
            "lists": lists_left(org),
            "suppressed": suppressed,
        }
        savepoint.rollback()
    return found


# At the edge.


def test_the_token_names_the_organisation(shared_database: Engine) -> None:
    """A token names its organisation until that is erased."""
    with shared_database.begin() as connection:
        work = new_organization(connection)
        ann, mail = mailed(work)
    leave = call(work, Purpose.UNSUBSCRIBE, mail)
    rung: list[UUID] = []
    engine = HaloEngine(
        shared_database,
        PostOffice(MemoryTransport(), Sender("", "halo@halo.example")),
        ring=rung.append,
    )
    assert not engine.redeem(leave.token, lambda of: look_at_link(of, leave), reads=True).done
    assert rung == []
    assert engine.redeem(leave.token, lambda of: unsubscribe_by_link(of, leave)).id == ann
    assert rung == [work.org_id]
    transact = committing(shared_database, OrgRef(id=work.org_id))
    erasing = erase_organization(transact)
    next(erasing)
    for token in (leave.token, MailToken(Purpose.OPEN, uuid4(), 1).signed(bytes(32))):
        with pytest.raises(Refusal) as refusal:
            engine.redeem(token, lambda of: unsubscribe_by_link(of, leave))
        assert refusal.value.code == "bad_token"
    list(erasing)
    with pytest.raises(Refusal) as refusal:
        engine.redeem(leave.token, lambda of: unsubscribe_by_link(of, leave))
    assert refusal.value.code == "bad_token"
