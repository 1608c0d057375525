"""A move brings all of an organisation, and leaves nothing behind."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread

import pytest
from sqlalchemy import Engine

from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.database import MovedAway
from halo_engine.domain.errors import Refusal
from halo_engine.moving import move as moving
from halo_engine.moving import switching
from halo_engine.moving.move import move
from halo_engine.moving.places import opened
from halo_engine.tables import end_users
from halo_engine.work import OrgRef, Work
from tests.moving.ground import (
    Pair,
    contents,
    has_moved,
    lives,
    triggers,
    url_of,
    wait_for,
)


def test_everything_comes_and_nothing_stays(pair: Pair) -> None:
    """Every row is in the new cell as it was, the other organisation's are where they were."""
    org_id = pair.id
    before = contents(pair.a.database, org_id)
    others = contents(pair.a.database, pair.acme.perform(lambda _: org_id))
    pair.move()
    assert contents(pair.b.database, org_id) == before
    assert contents(pair.a.database, org_id) == {}
    assert len(before) > 10
    assert others
    assert triggers(pair.a.database) == 0
    assert pair.noted == [org_id]


def test_it_goes_on_where_it_was(pair: Pair) -> None:
    """The second mail of the series goes out in the new cell, once to each contact."""
    pair.move()
    there = pair.there()
    sent = len(pair.acme.transport.sent)
    there.tick(timedelta(days=2))
    assert len(pair.acme.transport.sent) == 2 * sent


def test_who_comes_to_the_old_cell_is_told_the_new_one(pair: Pair) -> None:
    """By id, by key and by widget key; an organisation that never was is still unknown."""
    org_id = pair.id
    pair.move()
    for ref in (OrgRef(id=org_id), OrgRef(key="acme"), OrgRef(widget_key="acme")):
        with pytest.raises(MovedAway, match="b"):
            pair.acme.engine.ask(ref, lambda work: work.org_id)
    with pytest.raises(Refusal, match="There is no organisation"):
        pair.acme.engine.ask(OrgRef(key="nobody"), lambda work: work.org_id)


def test_a_call_that_was_under_way_is_refused_by_the_old_cell(pair: Pair) -> None:
    """A transaction that had found the organisation before the switch writes nothing after it."""
    org_id = pair.id
    call = IdentifyCall(user_id="late", traits={})
    moving = Thread(target=pair.move)

    def slow(work: Work) -> object:
        moving.start()
        wait_for(lambda: has_moved(pair.a, org_id))
        return identify(work, call)

    with pytest.raises(MovedAway, match="b"):
        pair.acme.perform(slow)
    moving.join()
    assert pair.there().count(end_users, end_users.c.external_id == "late") == 0
    assert contents(pair.a.database, org_id) == {}


def test_it_moves_there_and_back(pair: Pair) -> None:
    """Back in the first cell it has every row again, and the second tells where it is."""
    org_id = pair.id
    pair.move()
    pair.there().tick(timedelta(days=2))
    there = contents(pair.b.database, org_id)
    pair.move_back()
    assert contents(pair.a.database, org_id) == there
    assert contents(pair.b.database, org_id) == {}
    assert pair.acme.perform(lambda work: work.org.key) == "acme"
    with pytest.raises(MovedAway, match="a"):
        pair.there().perform(lambda work: work.org.key)


def test_an_organisation_that_moved_on_does_not_come_again(
    pair: Pair, new_database: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of its first move finds it gone, and only deletes what was left."""
    with monkeypatch.context() as broken:
        broken.setattr(moving, "clear", _fail)
        with pytest.raises(ConnectionError):
            pair.move()
    with opened("c", url_of(new_database())) as third:
        assert move(pair.b, third, "acme", tell=print)
        pair.noted.clear()
        pair.move()
        assert lives(third.database, pair.id)
    assert not lives(pair.b.database, pair.id)
    assert contents(pair.a.database, pair.id) == {}
    assert pair.noted == []


def test_the_error_that_ends_a_mover_is_told(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also behind the switch, when the source takes no write any more."""
    with monkeypatch.context() as broken:
        broken.setattr(switching, "remove_organization", _fail)
        with pytest.raises(ConnectionError):
            pair.move()
    assert has_moved(pair.a, pair.id)
    pair.move()
    assert lives(pair.b.database, pair.id)


def _fail(*_: object) -> None:
    raise ConnectionError
