"""Moves under load: each call that was answered is there once, and each mail went out once."""

import sys
from collections import Counter

import pytest
from sqlalchemy import select

from halo_engine.moving.move import move
from halo_engine.moving.places import Place
from halo_engine.moving.progress import Step, Switched
from halo_engine.tables import automation_recipients, end_users, events
from tests.moving.ground import contents, lives
from tests.moving.load import Load
from tests.pipeline.sandbox import new_sandbox
from tests.races.invariants import violations


def _moved_under_load(places: tuple[Place, Place], moves: int) -> list[float]:
    """Move the organisation to and fro while it is called; return how long its calls waited for
    each switch, in seconds.
    """
    acme = new_sandbox(places[0].database, "acme")
    acme.series("welcome")
    org_id, load, pauses = acme.org_id, Load(places), list[float]()

    def note(step: Step) -> None:
        if isinstance(step, Switched):
            pauses.append(step.pause.total_seconds())

    here, there = places
    with load.running():
        for _ in range(moves):
            move(here, there, "acme", tell=note)
            here, there = there, here
            if load.troubles:
                break
    assert load.troubles == []
    for _ in range(3):
        load.tick(here.name)
    load.close()
    assert contents(there.database, org_id) == {}
    assert not lives(there.database, org_id)
    with here.transaction() as connection:
        found = connection.scalars(select(end_users.c.external_id)).all()
        seen = connection.scalars(select(events.c.properties["by"].astext)).all()
        states = connection.execute(
            select(automation_recipients.c.status, automation_recipients.c.reason)
        ).all()
        assert violations(connection, {}) == []
    assert Counter(found) == Counter(load.users)
    assert Counter(seen) == Counter(load.events)
    assert load.mails() == Counter(load.users)
    assert {tuple(each) for each in states} == {("completed", None)}
    assert len(pauses) == moves
    sys.stdout.write(f"{moves} moves, {load.said()}\n")
    return pauses


@pytest.mark.torture
def test_nothing_is_lost_or_doubled_by_moves_under_load(places: tuple[Place, Place]) -> None:
    """There and back and there again, while users come, events fire and mail goes out."""
    _moved_under_load(places, 3)


@pytest.mark.torture
def test_two_hundred_moves_under_load(places: tuple[Place, Place]) -> None:
    """The same two hundred times; calls wait two seconds at most, at the 99th percentile."""
    pauses = sorted(_moved_under_load(places, 200))
    sys.stdout.write(f"p50 {pauses[100] * 1000:.0f} ms, p99 {pauses[197] * 1000:.0f} ms\n")
    assert pauses[197] <= 2.0
