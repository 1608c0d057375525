"""Lists that are joined by confirming a mail (contract §16)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine

from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    subscribe_all,
    unsubscribe,
)
from halo_engine.contacts.consent.pending import sweep_pending
from halo_engine.contacts.consent.subscriptions import SaveListCall, all_lists, save_list
from halo_engine.contacts.consent.suppression import BounceCall, bounce
from halo_engine.domain.errors import Refusal
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.mail.incoming.confirmations import confirm, look_at_confirmation
from halo_engine.mail.incoming.links import LinkCall
from halo_engine.opening import open_work
from halo_engine.tables import (
    confirmations,
    end_users,
    pending_members,
    subscription_members,
    suppressions,
)
from halo_engine.work import Reach, Work
from tests.contacts.sandbox import (
    NOW,
    add_contact,
    committed_organization,
    committing,
    rows,
    written_signals,
)

ADDRESS = "ann@a.example"


def make(work: Work, key: str = "news") -> None:
    """Make a list with double opt-in."""
    save_list(work, SaveListCall(list=key, double_opt_in=True))


def ask(work: Work, contact: str = "ann", **call: Any) -> bool:
    """Subscribe; return whether the contact has to confirm."""
    return subscribe(work, SubscribeCall(contact=contact, list="news", **call)).pending


def link(work: Work, number: int = 0) -> LinkCall:
    """Return the link of the mail of that number."""
    id_ = rows(work, confirmations, "id")[number][0]
    token = MailToken(Purpose.CONFIRM, work.org_id, id_)
    return LinkCall(token=token.signed(work.org.mail_key))


def _move(work: Work, address: str) -> None:
    own = end_users.c.org_id == work.org_id
    work.connection.execute(end_users.update().where(own).values(email=address))


def counts(work: Work) -> tuple[int, int]:
    """Return how many are on ``news``, and how many have yet to confirm."""
    [news] = all_lists(work, "news")
    return news.subscribers, news.pending


@pytest.fixture
def ann(work: Work) -> Work:
    """An organisation with the list ``news`` and the contact ann."""
    make(work)
    add_contact(work, "ann", email=ADDRESS)
    return work


def test_subscribing_makes_a_pending_member(ann: Work) -> None:
    """It is no subscriber, nothing reacts, and one mail waits."""
    assert ask(ann)
    assert counts(ann) == (0, 1)
    assert written_signals(ann) == []
    assert rows(ann, confirmations, "address", "state", "due_at") == [(ADDRESS, "waiting", NOW)]


def test_who_confirms_joins_then(ann: Work) -> None:
    """With the signal of any subscription; looking before changes nothing, again neither."""
    ask(ann)
    assert look_at_confirmation(ann, link(ann)).state == "pending"
    assert counts(ann) == (0, 1)
    later = replace(ann, now=NOW + timedelta(days=7) - timedelta(seconds=1))
    for _ in range(2):
        assert confirm(later, link(ann)).state == "confirmed"
    assert counts(ann) == (1, 0)
    [(kind, _, changed)] = written_signals(ann)
    assert (kind, changed) == ("changed", ["list", "suppression", "list:news"])
    assert rows(ann, subscription_members, "subscribed_at") == [(later.now,)]


def test_after_seven_days_it_is_over(ann: Work) -> None:
    """The contact is in no count, and is forgotten; it may ask again."""
    ask(ann)
    late = replace(ann, now=NOW + timedelta(days=7))
    assert counts(late) == (0, 0)
    assert confirm(late, link(ann)).state == "over"
    assert counts(late) == (0, 0)
    sweep_pending(late)
    assert rows(ann, pending_members, "asked_at") == []
    assert ask(late)
    assert confirm(late, link(ann, 1)).state == "confirmed"
    sweep_pending(replace(ann, now=late.now + timedelta(days=31)))
    assert rows(ann, confirmations, "id") == []


def test_one_mail_goes_to_an_address_for_a_list_and_a_day(ann: Work) -> None:
    """Whoever has the address confirms by it; the next day of the organisation is another."""
    add_contact(ann, "bob", email="ANN@a.example")
    add_contact(ann, "cem", email="cem@a.example")
    calls = [SubscribeCall(contact=name, list="news") for name in ("ann", "bob", "cem", "ann")]
    assert all(each.pending for each in subscribe_all(ann, calls) if not isinstance(each, Refusal))
    assert rows(ann, confirmations, "address") == [(ADDRESS,), ("cem@a.example",)]
    tomorrow = replace(ann, now=NOW + timedelta(days=1))
    ask(tomorrow)
    assert len(rows(ann, confirmations, "id")) == 3
    confirm(tomorrow, link(ann))
    assert counts(tomorrow) == (2, 1)


def test_unsubscribing_ends_what_is_pending(ann: Work) -> None:
    """From the list, or from everything: the link is over, and works if the contact asks again."""
    for list_ in ("news", None):
        ask(ann)
        unsubscribe(ann, UnsubscribeCall(contact="ann", list=list_))
        assert confirm(ann, link(ann)).state == "over"
        assert counts(ann) == (0, 0)
    ask(ann)
    assert len(rows(ann, confirmations, "id")) == 1
    assert confirm(ann, link(ann)).state == "confirmed"
    assert rows(ann, suppressions, "address") == []


def test_asking_lifts_nothing(ann: Work) -> None:
    """The unsubscription from everything holds until it is confirmed, a bounce after that too."""
    unsubscribe(ann, UnsubscribeCall(contact="ann"))
    ask(ann)
    assert rows(ann, suppressions, "unsubscribed_at") == [(NOW,)]
    bounce(ann, BounceCall(contact="ann"))
    confirm(ann, link(ann))
    assert rows(ann, suppressions, "unsubscribed_at", "bounced_at") == [(None, NOW)]


def test_another_address_is_not_confirmed(ann: Work) -> None:
    """Whoever reads the old mailbox does not join for the new one."""
    ask(ann)
    _move(ann, "new@a.example")
    assert confirm(ann, link(ann)).state == "over"
    assert counts(ann) == (0, 1)


def test_what_was_confirmed_elsewhere_is_not_asked(ann: Work) -> None:
    """An application may say so; a member is not asked again."""
    assert ask(ann)
    assert not ask(ann, confirmed=True)
    assert counts(ann) == (1, 0)
    assert not ask(ann)


def test_who_has_no_address_cannot_confirm(ann: Work) -> None:
    """The call is refused; the others of a set are taken."""
    add_contact(ann, "bob")
    calls = [SubscribeCall(contact=name, list="news") for name in ("bob", "ann")]
    refused, taken = subscribe_all(ann, calls)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.code) == (400, "no_email")
    assert not isinstance(taken, Refusal)
    assert counts(ann) == (0, 1)


def test_a_default_list_has_no_double_opt_in(work: Work) -> None:
    """Whoever is created asked for nothing; nor is there any where nobody could confirm."""
    make(work)
    with pytest.raises(Refusal, match="default: a default list cannot have double_opt_in"):
        save_list(work, SaveListCall(list="news", default=True))
    save_list(work, SaveListCall(list="tips", default=True))
    with pytest.raises(Refusal, match="allowed is one of the two"):
        make(work, "tips")
    with pytest.raises(Refusal) as refused:
        make(replace(work, reach=Reach(confirm=False)), "offers")
    assert (refused.value.status, refused.value.code) == (400, "no_public_url")


def test_only_the_mails_token_confirms(ann: Work) -> None:
    """A token for another purpose is refused."""
    ask(ann)
    id_ = rows(ann, confirmations, "id")[0][0]
    for purpose in (Purpose.UNSUBSCRIBE, Purpose.OPEN, Purpose.CLICK):
        token = MailToken(purpose, ann.org_id, id_).signed(ann.org.mail_key)
        with pytest.raises(Refusal, match="one of this installation"):
            confirm(ann, LinkCall(token=token))
    assert counts(ann) == (0, 1)


# At once.


def _asked(work: Work) -> LinkCall:
    make(work)
    _move(work, ADDRESS)
    ask(work)
    return link(work)


def _both(database: Engine, *acts: Callable[[Work, LinkCall], object]) -> Work:
    """Let both act in transactions that begin at once; return the organisation after that."""
    org = committed_organization(database, "ann")
    transact = committing(database, org)
    with database.begin() as connection:
        call = _asked(open_work(connection, org, NOW))
    begin = Barrier(len(acts))

    def act(each: Callable[[Work, LinkCall], object]) -> None:
        tries = count(1)

        def within(work: Work) -> None:
            # After a lost race it runs again, alone.
            if next(tries) == 1:
                begin.wait(timeout=120)
            each(work, call)

        transact(within)

    with ThreadPoolExecutor(len(acts)) as threads:
        list(threads.map(act, acts))
    return open_work(database.connect(), org, NOW)


def leave(work: Work, _call: LinkCall) -> object:
    """Unsubscribe from everything."""
    return unsubscribe(work, UnsubscribeCall(contact="ann"))


def test_whoever_unsubscribes_while_it_confirms_has_left(shared_database: Engine) -> None:
    """Whichever came first: an unsubscription that was acknowledged holds."""
    for _ in range(5):
        work = _both(shared_database, confirm, leave)
        assert counts(work) == (0, 0)
        assert rows(work, suppressions, "unsubscribed_at") == [(NOW,)]
        work.connection.close()


def test_two_who_confirm_at_once_join_once(shared_database: Engine) -> None:
    """One joins, the other finds it done."""
    work = _both(shared_database, confirm, confirm)
    assert counts(work) == (1, 0)
    assert len(written_signals(work)) == 1
    work.connection.close()
