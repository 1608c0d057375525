"""What a pass has to take and to forget may take too long for one statement (§1, §4)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, insert, text

from halo_engine.domain.series.signals import SignalKind
from halo_engine.pipeline import wide
from halo_engine.pipeline.passes import forgetting, taking
from halo_engine.pipeline.reaction import Reaction
from halo_engine.series.noting import note_contacts
from halo_engine.tables import pass_notes, signals
from halo_engine.work import Work
from tests.pipeline.faults import parked, refusing
from tests.pipeline.passes.test_narrow_passes import QUARTER, begun, passed_fully, updating
from tests.pipeline.sandbox import Sandbox
from tests.pipeline.test_passes import PRO, entered, plan

#: PostgreSQL's code for a statement that ran into its time limit.
TOO_LONG = "57014"


@contextmanager
def forgetting_at_most(database: Engine, most: int) -> Iterator[None]:
    """Within the block, let statements that forget more notes take too long."""
    with database.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF (SELECT count(*) FROM gone) > {most} THEN RAISE 'too long' "
                f"USING ERRCODE = '{TOO_LONG}'; END IF; RETURN NULL; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE TRIGGER dawdles AFTER DELETE ON pass_notes REFERENCING OLD TABLE AS gone "
                "FOR EACH STATEMENT EXECUTE FUNCTION dawdle()"
            )
        )
    try:
        yield
    finally:
        with database.begin() as connection:
            connection.execute(text("DROP FUNCTION dawdle() CASCADE"))


def note(sandbox: Sandbox, contacts: list[UUID]) -> None:
    """Note contacts for the next pass."""
    sandbox.perform(lambda work: note_contacts(work, dict.fromkeys(contacts, False)))


def start_full_pass(sandbox: Sandbox, **cursor: Any) -> None:
    """Leave the signal of a pass over everybody, which others do not wait for."""

    def write(work: Work) -> None:
        instants = dict.fromkeys(("happened_at", "created_at"), work.now)
        row = {"org_id": work.org_id, "kind": SignalKind.REEVALUATED, "cursor": cursor, **instants}
        work.connection.execute(insert(signals).values(row))

    sandbox.perform(write)


def noted(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, contacts: int
) -> tuple[list[str], list[UUID]]:
    """Note more contacts, all of whom match by now, than the next pass takes or forgets at once;
    return their names and ids.
    """
    monkeypatch.setattr(taking, "MOST", 2)
    monkeypatch.setattr(forgetting, "AT_ONCE", 3)
    sandbox.series("pro", **PRO)
    names = [f"u{number}" for number in range(contacts)]
    made = sandbox.contacts(names, custom_fields={"plan": "free"})
    begun(sandbox)
    for name in names:
        plan(sandbox, name, "pro")
    note(sandbox, made)
    sandbox.now += QUARTER
    return names, list(made)


def test_a_pass_that_cannot_take_its_notes_in_time_looks_at_everybody(sandbox: Sandbox) -> None:
    """After two tries it looks around no more."""
    sandbox.series("pro", **PRO)
    sandbox.contacts(["told", "untold"], custom_fields={"plan": "free"})
    fully = begun(sandbox).now
    plan(sandbox, "untold", "pro")
    sandbox.perform(updating({"told": {"plan": "pro"}}))
    sandbox.settle()
    with refusing(sandbox.database, "pass_notes", "true", "UPDATE", TOO_LONG):
        pages = [each for each in sandbox.tick(QUARTER) if isinstance(each, Reaction)]
    assert (taking.TRIES, len(pages), parked(sandbox)) == (2, 3, [])
    assert sorted(map(str, entered(sandbox))) == ["told", "untold"]
    assert passed_fully(sandbox) == sandbox.now != fully
    assert (sandbox.count(signals), sandbox.count(pass_notes)) == (0, 0)


def test_a_pass_over_everybody_forgets_many_notes_one_page_after_another(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A narrow pass that has to become one too; nobody is looked at before all are forgotten."""
    names, made = noted(sandbox, monkeypatch, contacts=8)
    with forgetting_at_most(sandbox.database, 3):
        pages = (each for each in sandbox.engine.tick(sandbox.org_id) if isinstance(each, Reaction))
        # Eight contacts, and how long time passed.
        for left in (6, 3, 0):
            assert (next(pages).unfinished, entered(sandbox)) == (True, [])
            assert sandbox.count(pass_notes) == left
        # What is noted from now on is for the next pass, even if this one finds it.
        note(sandbox, made[:1])
        assert [each.unfinished for each in pages] == [False]
    assert sorted(map(str, entered(sandbox))) == names
    assert passed_fully(sandbox) == sandbox.now
    assert (sandbox.count(signals), sandbox.count(pass_notes)) == (0, 1)


def test_contacts_that_came_after_a_pass_over_everybody_began_are_noted_for_it(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are: their notes too are forgotten page by page, and each enters once."""
    monkeypatch.setattr(forgetting, "AT_ONCE", 2)
    monkeypatch.setattr(wide, "PAGE", 4)
    sandbox.series("pro", **PRO)
    sandbox.settle()
    before = sandbox.contacts(["before"], custom_fields={"plan": "pro"})
    start_full_pass(sandbox)
    sandbox.now += timedelta(minutes=1)
    names = [f"u{number}" for number in range(5)]
    note(sandbox, before + sandbox.contacts(names, custom_fields={"plan": "pro"}))
    with forgetting_at_most(sandbox.database, 2):
        pages = [each.unfinished for each in sandbox.settle() if isinstance(each, Reaction)]
    # Six notes are forgotten, then nothing more; everybody; two pages of the noted; five notes.
    assert pages == [True] * 7 + [False]
    assert entered(sandbox)[:1] == ["before"]
    assert sorted(map(str, entered(sandbox))) == ["before", *names]
    assert passed_fully(sandbox) == sandbox.now - timedelta(minutes=1)
    assert (sandbox.count(signals), sandbox.count(pass_notes)) == (0, 0)


def test_a_pass_over_everybody_that_is_lost_while_it_forgets_is_made_up_for(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next pass looks at everybody again."""
    names, _ = noted(sandbox, monkeypatch, contacts=6)
    pages = (each for each in sandbox.engine.tick(sandbox.org_id) if isinstance(each, Reaction))
    assert len(list(islice(pages, 1))) == 1
    del pages
    sandbox.perform(
        lambda work: work.connection.execute(
            signals.delete().where(signals.c.org_id == work.org_id)
        )
    )
    assert (passed_fully(sandbox), entered(sandbox)) == (None, [])
    sandbox.tick(QUARTER)
    assert sorted(map(str, entered(sandbox))) == names
    assert (passed_fully(sandbox), sandbox.count(pass_notes)) == (sandbox.now, 0)


def test_what_is_noted_once_somebody_was_looked_at_stays_for_the_next_pass(
    sandbox: Sandbox,
) -> None:
    """Though more was to be forgotten: another version of this code went on without."""
    sandbox.series("pro", **PRO)
    sandbox.settle()
    [contact] = sandbox.contacts(["a"], custom_fields={"plan": "pro"})
    note(sandbox, [contact])
    place = {"created_at": sandbox.now.isoformat(), "contact_id": str(contact)}
    start_full_pass(sandbox, zone="UTC", noted=False, forgets=2**62, **place)
    sandbox.settle()
    assert (entered(sandbox), sandbox.count(signals), sandbox.count(pass_notes)) == ([], 0, 2)
    sandbox.tick(QUARTER)
    assert (entered(sandbox), sandbox.count(pass_notes)) == (["a"], 0)
