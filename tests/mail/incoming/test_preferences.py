"""The preference page of a mail's reader: what it shows, and what a choice does (contract §16)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine

from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.subscriptions import SaveListCall, save_list
from halo_engine.contacts.consent.suppression import BounceCall, ComplaintCall, bounce
from halo_engine.domain.errors import Refusal
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.mail.incoming.complaints import complain
from halo_engine.mail.incoming.links import LinkCall, unsubscribe_by_link
from halo_engine.mail.incoming.preferences import (
    ChooseCall,
    Chosen,
    Preferences,
    choose,
    look_at_preferences,
)
from halo_engine.opening import open_work
from halo_engine.tables import subscription_members, suppressions
from halo_engine.work import Work
from tests.contacts.sandbox import (
    NOW,
    add_contact,
    add_message,
    add_series,
    committed_organization,
    committing,
    rows,
    written_signals,
)

ADDRESS = "ann@a.example"


def token(work: Work, mail: int, purpose: Purpose = Purpose.UNSUBSCRIBE) -> str:
    """Sign a token of a mail that leaves everything."""
    return MailToken(purpose, work.org_id, mail).signed(work.org.mail_key)


def mailed(work: Work, **message: Any) -> int:
    """Mail to ann, who is on ``news`` and was on ``tips``; nobody is on ``offers``."""
    ann = add_contact(work, "ann", email=ADDRESS)
    for key, name in (("news", None), ("tips", "Helpful tips"), ("offers", None)):
        save_list(work, SaveListCall(list=key, name=name))
    for key in ("news", "tips"):
        subscribe(work, SubscribeCall(contact="ann", list=key))
    unsubscribe(work, UnsubscribeCall(contact="ann", list="tips"))
    return add_message(work, ann, add_series(work, "welcome", "hello"), "hello", **message)


def looked(work: Work, mail: int) -> Preferences:
    """Return what the page shows."""
    return look_at_preferences(work, LinkCall(token=token(work, mail)))


def joined(work: Work, mail: int) -> dict[str, bool]:
    """Return the lists on the page, and whether each is checked."""
    return {topic.list: topic.joined for topic in looked(work, mail).topics}


def chose(work: Work, mail: int, *lists: str, shown: tuple[str, ...] | None = None) -> Chosen:
    """Check these lists, and save."""
    return choose(work, ChooseCall(token=token(work, mail), lists=lists, shown=shown))


def test_it_shows_the_lists_that_the_contact_is_or_was_on(work: Work) -> None:
    """The page shows the lists that the contact is or was on, by their names; looking changes
    nothing.
    """
    mail = mailed(work)
    before = written_signals(work)
    page = looked(work, mail)
    assert [(each.name, each.joined) for each in page.topics] == [
        ("Helpful tips", False),
        ("news", True),
    ]
    assert (page.looked.address, page.gets_mail, page.bounced) == (ADDRESS, True, False)
    assert written_signals(work) == before


def test_lists_are_left_and_joined_again(work: Work) -> None:
    """Leaving and joining on the page reach exits, audiences and goals as any unsubscribe and
    subscribe.
    """
    mail = mailed(work)
    before = len(written_signals(work))
    answer = chose(work, mail, "tips")
    assert (answer.joined, answer.left) == (("tips",), ("news",))
    assert joined(work, mail) == {"tips": True, "news": False}
    told = {(kind, *changed) for kind, _, changed in written_signals(work)[before:]}
    assert told == {
        ("changed", "list", "suppression", "list:news"),
        ("changed", "list", "suppression", "list:tips"),
        ("silent", "suppression"),
    }
    assert chose(work, mail, "tips").model_dump(exclude={"id"}) == {"joined": (), "left": ()}


def test_what_the_page_did_not_show_stays(work: Work) -> None:
    """A list joined meanwhile is kept, and one never joined cannot be joined."""
    mail = mailed(work)
    chose(work, mail, "offers", shown=("tips", "offers"))
    assert joined(work, mail) == {"tips": False, "news": True}


@pytest.mark.parametrize("cause", ["unsubscribed", "complained", "bounced"])
def test_joining_again_lifts_all_but_a_bounce(work: Work, cause: str) -> None:
    """Joining on the page lifts a complaint, which a subscribe call does not (§2), but no
    bounce.
    """
    mail = mailed(work)
    if cause == "unsubscribed":
        choose(work, ChooseCall(token=token(work, mail), everything=True))
    elif cause == "complained":
        complain(work, ComplaintCall(contact="ann"))
    else:
        bounce(work, BounceCall(contact="ann"))
        choose(work, ChooseCall(token=token(work, mail), everything=True))
    assert joined(work, mail) == {"tips": False, "news": False}
    assert not looked(work, mail).gets_mail
    chose(work, mail, "news")
    assert joined(work, mail) == {"tips": False, "news": True}
    causes = rows(work, suppressions, "bounced_at", "unsubscribed_at", "complained_at")
    assert causes == ([(NOW, None, None)] if cause == "bounced" else [])


def test_a_complaint_from_another_address_stays(work: Work) -> None:
    """A complaint from another address is not lifted."""
    mail = mailed(work, to_address="old@a.example")
    complain(work, ComplaintCall(contact="ann"))
    chose(work, mail, "news")
    assert rows(work, suppressions, "address", "complained_at", "unsubscribed_at") == [
        (ADDRESS, NOW, None)
    ]


def test_everything_is_left_at_once(work: Work) -> None:
    """One button leaves every list and suppresses the address."""
    mail = mailed(work)
    answer = choose(work, ChooseCall(token=token(work, mail), everything=True))
    assert answer.left == ("news",)
    assert rows(work, suppressions, "address") == [(ADDRESS,)]


def test_another_link_is_no_choice(work: Work) -> None:
    """A token for a click or an open cannot make a choice."""
    mail = mailed(work)
    forged = token(work, mail, Purpose.CLICK)
    with pytest.raises(Refusal, match="one of this installation"):
        look_at_preferences(work, LinkCall(token=forged))
    with pytest.raises(Refusal, match="one of this installation"):
        choose(work, ChooseCall(token=forged))
    assert joined(work, mail) == {"tips": False, "news": True}


# At once.


def _both(database: Engine, *acts: Callable[[Work, int], object]) -> tuple[Work, int]:
    """Let both act in transactions that begin at once; return what they left."""
    org = committed_organization(database)
    mail = committing(database, org)(mailed)
    begin = Barrier(len(acts))

    def act(each: Callable[[Work, int], object]) -> None:
        tries = count(1)

        def within(work: Work) -> None:
            # After a lost race it runs again, alone.
            if next(tries) == 1:
                begin.wait(timeout=120)
            each(work, mail)

        committing(database, org)(within)

    with ThreadPoolExecutor(len(acts)) as threads:
        list(threads.map(act, acts))
    return open_work(database.connect(), org, NOW), mail


def leave(work: Work, mail: int) -> object:
    """Unsubscribe by one click."""
    return unsubscribe_by_link(work, LinkCall(token=token(work, mail)))


def test_two_posts_at_once_are_as_one(shared_database: Engine) -> None:
    """Two equal choices at once, or two clicks, count as one."""
    work, mail = _both(
        shared_database, lambda *at: chose(*at, "tips"), lambda *at: chose(*at, "tips")
    )
    assert joined(work, mail) == {"tips": True, "news": False}
    work.connection.close()
    work, mail = _both(shared_database, leave, leave)
    assert rows(work, suppressions, "address") == [(ADDRESS,)]
    work.connection.close()


def test_a_choice_and_one_click_at_once_end_as_one_after_the_other(
    shared_database: Engine,
) -> None:
    """A choice and a one-click at once end as one after the other, in either order."""
    for _ in range(5):
        work, mail = _both(shared_database, lambda *at: chose(*at, "tips", "news"), leave)
        members = len(rows(work, subscription_members, "end_user_id"))
        gets_mail = looked(work, mail).gets_mail
        assert (members, gets_mail) in ((0, False), (2, True), (1, True))
        work.connection.close()


def test_of_an_erased_contact_nothing_is_shown(work: Work) -> None:
    """The page of an erased contact, or of a sample, shows no list."""
    page = looked(work, 0)
    assert (page.topics, page.looked.address, page.gets_mail) == ((), None, False)
    assert chose(work, 0, "news").id is None
