"""A write of an organisation that has moved says where it lives now."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from halo_engine.cells.moved import moved_to
from halo_engine.contacts.identifying.identify import (
    IDENTIFY_SET,
    IdentifyCall,
    identify,
    identifying,
)
from halo_engine.database import MovedAway, run_in_transaction
from halo_engine.outages import database_trouble
from halo_engine.sets import SetCall
from tests.cells.fences import fence
from tests.pipeline.sandbox import counted_statements, new_sandbox


def _raised(run: Callable[[], Any]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- whatever it is, it is looked at
        run()
    return caught.value


def test_an_error_of_a_moved_organisation_names_its_cell(database: Engine) -> None:
    """It is read from the database's error, from ours, and from what they caused; others say
    nothing.
    """

    def refused(connection: Connection) -> None:
        connection.execute(text("DO $$ BEGIN RAISE 'x' USING ERRCODE='HM001', DETAIL='b'; END $$"))

    def plain() -> None:
        with database.connect() as connection:
            refused(connection)

    def caused() -> None:
        try:
            plain()
        except DBAPIError as error:
            raise ValueError("in between") from error

    ours = _raised(lambda: run_in_transaction(database, refused))
    assert isinstance(ours, MovedAway)
    assert [moved_to(each) for each in (ours, _raised(plain), _raised(caused))] == ["b", "b", "b"]
    assert moved_to(_raised(lambda: int("x"))) is None
    assert [database_trouble(each) for each in (ours, _raised(plain))] == [None, None]


def test_every_way_to_write_meets_it(database: Engine) -> None:
    """A transaction and a call in one round trip are refused alike."""
    sandbox = new_sandbox(database, "acme")
    engine, call = sandbox.engine, IdentifyCall(user_id="ann")

    def do() -> object:
        return engine.perform(sandbox.org, lambda work: identify(work, call))

    def do_at_once() -> object:
        return engine.perform(
            sandbox.org,
            lambda work: identify(work, call),
            in_one_trip=lambda org, now: identifying(call, org, now),
        )

    do()
    do_at_once()
    fence(database, sandbox.org_id, "b")
    assert [moved_to(_raised(each)) for each in (do, do_at_once)] == ["b", "b"]


def test_no_flow_takes_it_for_a_fault(database: Engine) -> None:
    """A turn ends with the name of the new cell: no signal is parked, no try is counted; chores of
    all organisations go on with the others.
    """
    sandbox = new_sandbox(database, "acme")
    sandbox.series("welcome")
    sandbox.signal(sandbox.contacts(["ann", "bob"]))
    org_id = sandbox.org_id
    engine = replace(sandbox.engine, interruptions=(MovedAway,))
    asked = text("SELECT id, attempts, parked_at IS NULL FROM signals ORDER BY id")
    with database.connect() as connection:
        before = connection.execute(asked).all()
    fence(database, org_id, "b")
    for flow in (engine.settle, engine.tick):
        assert moved_to(_raised(partial(list, flow(org_id)))) == "b"
    with database.connect() as connection:
        assert connection.execute(asked).all() == before != []
    assert engine.chores.wake() == 0
    assert engine.ring_for_all() == 1


def test_a_set_is_not_split_up_for_it(database: Engine) -> None:
    """All calls of a set learn at once that their organisation has moved."""
    sandbox = new_sandbox(database, "acme")
    org_id = sandbox.org_id
    fence(database, org_id, "b")
    engine = replace(sandbox.engine, interruptions=(MovedAway,))
    calls = [SetCall(IDENTIFY_SET, IdentifyCall(user_id=name)) for name in ("ann", "bob")]
    with counted_statements(database) as sent:
        assert moved_to(_raised(lambda: engine.perform_set(sandbox.org, calls))) == "b"
    assert len([each for each in sent if "read_org" in each]) == 1
