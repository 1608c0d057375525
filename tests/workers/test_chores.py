"""Chores of the tick for all organisations: one that fails holds up no other (§1)."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine as Database

import halo_engine.pipeline.chores as chores_module
from halo_engine.engine import Engine
from halo_engine.tables import events
from halo_engine.work import Work
from tests.pipeline.sandbox import Sandbox, new_sandbox
from tests.retention.years import DAY, fire, keep, user
from workers.tasks import beat


def broken() -> int:
    """Fail as a fault of ours does."""
    raise ArithmeticError("broken")


@pytest.fixture
def organizations(shared_database: Database) -> tuple[Sandbox, Sandbox]:
    """Two organisations."""
    first, second = (new_sandbox(shared_database, f"chores-{uuid4()}") for _ in range(2))
    return first, second


def test_a_fault_in_one_organisation_holds_up_no_other(
    organizations: tuple[Sandbox, Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An organisation's fault is raised after the others are done; an erased one is skipped."""
    first, second = organizations
    woken: list[UUID] = []

    def wake(work: Work) -> int:
        if work.org_id == first.org_id:
            return broken()
        woken.append(work.org_id)
        return 1

    asked = [uuid4(), first.org_id, second.org_id]
    monkeypatch.setattr(chores_module, "organizations_to_wake", lambda _: asked)
    monkeypatch.setattr(chores_module, "wake", wake)
    with pytest.raises(ArithmeticError):
        first.engine.chores.wake()
    assert woken == [second.org_id]
    asked.remove(first.org_id)
    assert first.engine.chores.wake() == 1


def test_a_chore_that_fails_holds_up_neither_others_nor_the_doorbells(
    organizations: tuple[Sandbox, Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chore that fails is reported at the end of the tick."""
    engine, done = organizations[0].engine, list[str]()

    def chore(name: str) -> Callable[..., int]:
        def note(*_: object) -> int:
            done.append(name)
            return 0

        return note

    monkeypatch.setattr(beat, "engine", lambda: engine)
    monkeypatch.setattr(Engine, "ring_for_all", chore("rings"))
    monkeypatch.setattr(beat, "_CHORES", (chore("first"), broken, chore("last")))
    with pytest.raises(ArithmeticError):
        beat.tick()
    assert done == ["first", "last", "rings"]


def test_a_tick_deletes_what_is_old_after_it_rang(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all organisations, those whose past is old (§24)."""
    forgets, remembers = (new_sandbox(database, name) for name in ("forgets", "remembers"))
    keep(forgets, events="31d")
    for each in (forgets, remembers):
        user(each, "ann")
        fire(each, "ann", "login")
        each.settle()
    forgets.now += 40 * DAY
    seen, engine = list[int](), forgets.engine

    def ring(_: Engine) -> int:
        seen.append(forgets.count(events))
        return 7

    monkeypatch.setattr(beat, "engine", lambda: engine)
    monkeypatch.setattr(beat, "_CHORES", ())
    monkeypatch.setattr(Engine, "ring_for_all", ring)
    assert beat.tick() == 7
    assert seen == [1]
    assert (forgets.count(events), remembers.count(events)) == (0, 1)
