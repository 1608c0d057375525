"""A narrow pass finds whatever one over everybody would, whatever was done before (contract §4).

Narrow passes come until one changes nothing; then one over everybody, at the same instant, changes
nothing either.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from copy import copy, deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self, cast
from uuid import UUID

import pytest
import yaml
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Engine, Table, insert, select

from halo_engine.domain.errors import Refusal
from halo_engine.domain.series.signals import SignalKind
from halo_engine.opening import open_work
from halo_engine.pipeline import wide
from halo_engine.pipeline.passes import forgetting
from halo_engine.pipeline.passes.cursors import NARROW
from halo_engine.pipeline.react import Choice, react
from halo_engine.pipeline.signals.parking import unpark_signals
from halo_engine.rehearsal.actions.table import play
from halo_engine.rehearsal.sandbox import Sandbox, open_sandbox
from halo_engine.rehearsal.scenario import read_scenario
from halo_engine.series.lifecycle import find_series
from halo_engine.series.noting import note_time
from halo_engine.tables import (
    automation_enrollments,
    automations,
    discarded_entries,
    held_entries,
    pass_notes,
    signals,
)
from halo_engine.work import OrgRef, Work
from tests.model.language.refusals import RefusedError
from tests.model.world import World
from tests.properties.actions import actions, beginnings
from tests.properties.definitions import FILTERS, stages

#: How many sequences are played, of STEPS actions; `make torture` asks for more, and for others.
SEQUENCES = int(os.environ.get("HALO_TEST_SEQUENCES", "12")) // 4
SEED = os.environ.get("HALO_TEST_SEED", "the suite")
#: How many of them are a test.
SHARE = 4
STEPS = 24
#: What a pass may change.
TABLES: Final[Sequence[Table]] = (
    automation_enrollments,
    automations,
    discarded_entries,
    held_entries,
)
#: Those for which a narrow pass looks at everybody anyway.
_WIDE = ("last_seen", "last_contacted_at", "first_seen")
MOVING = (
    {"field": "custom:since", "operator": "after", "value": "-2d"},
    {"field": "custom:since", "operator": "before", "value": "+1d"},
    {"field": "signed_up_at", "operator": "before", "value": "-30d"},
    {"field": "company.custom:since", "operator": "after", "value": "-1d"},
    {"field": "created_at", "operator": "after", "value": "-1h"},
)
NARROW_FILTERS = (
    *MOVING,
    *(
        each
        for each in FILTERS
        if each["field"] not in _WIDE
        and "within" not in each
        and not each["field"].startswith("series:")
    ),
)
#: After so many passes at one instant series start each other without end.
REPEATED: Final = 6


@st.composite
def narrow_stages(draw: st.DrawFn) -> dict[str, Any]:
    """Stages on which most series are for passes, and few need everybody to be looked at."""
    written: dict[str, Any] = draw(stages())
    # No pass begins by itself.
    written["org"]["reevaluate_cron"] = "0 0 1 1 *"
    filters = st.sampled_from(NARROW_FILTERS)
    groups = st.lists(st.lists(filters, min_size=1, max_size=2), min_size=1, max_size=2)
    for definition in written["series"].values():
        if draw(st.integers(0, 3)):
            definition["entry_trigger"] = "segment_match"
            definition["audience_type"] = "segment"
            definition.pop("subscription", None)
            for name in ("entry_event_name", "entry_event_filters", "entry_patience"):
                definition["settings"].pop(name, None)
        if "audience_filters" in definition or definition["audience_type"] == "segment":
            definition["audience_filters"] = draw(groups)
        for name in ("exit_filters", "goal_filters"):
            if definition["settings"].get(name):
                definition["settings"][name] = draw(groups)
        if draw(st.integers(0, 2)):
            definition["settings"].pop("surge", None)
    return written


#: What may be committed late: it waits for no pass, and no pass waits for it.
LATE: Final = frozenset({"identify_company", "import_csv", "track", "update"})


class _Late(Sandbox):
    """A sandbox whose doors work in a transaction that is still open."""

    connection: Connection

    @classmethod
    def of(cls, sandbox: Sandbox, connection: Connection) -> Self:
        """Return a copy that works in the transaction of ``connection``."""
        late = copy(sandbox)
        late.__class__ = cls
        assert isinstance(late, cls)
        late.connection = connection
        return late

    def perform(self, action: Callable[[Work], Any]) -> Any:
        """Work in the open transaction; a refusal leaves it as it was."""
        with self.connection.begin_nested():
            return action(open_work(self.connection, OrgRef(id=self.org_id), self.now))

    def settle(self) -> None:
        """Nothing is there yet for others."""


class _Without(Sandbox):
    """A sandbox whose workers withhold a series."""

    withheld: UUID

    @classmethod
    def of(cls, sandbox: Sandbox, key: str) -> Self:
        """Return a copy that withholds the series with this key."""
        without = copy(sandbox)
        without.__class__ = cls
        assert isinstance(without, cls)
        without.withheld = sandbox.perform(lambda work: find_series(work, key).id)
        return without

    def settle(self) -> None:
        """Handle the signals that wait, for all other series."""
        choice = Choice(without=lambda _: {self.withheld: "it fails"})
        while self.perform(lambda work: react(work, 1_000, choice)):
            pass


class Passes(RuleBasedStateMachine):
    """One sequence of actions, each followed by a narrow pass and one over everybody."""

    def __init__(self, database: Engine, folder: Path) -> None:
        super().__init__()
        self._setting = database, folder
        self._stack = ExitStack()
        self._timeline: list[dict[str, Any]] = []
        self.sandbox: Sandbox
        self.world: World
        self._since: datetime

    @initialize(written=narrow_stages())
    def set_the_stage(self, written: dict[str, Any]) -> None:
        """Set the stage, where somebody is known already."""
        database, folder = self._setting
        path = folder / "stage.yaml"
        path.write_text(yaml.safe_dump({"scenario": "generated", **written}), encoding="utf-8")
        self._written = written
        self.sandbox = self._stack.enter_context(open_sandbox(read_scenario(path), database))
        parts = {key: written[key] for key in ("start", "org", "lists", "series")}
        self.world = World(**deepcopy(parts))
        self._since = self.sandbox.now
        for name, value in beginnings(self.world):
            self._play(name, value)

    @rule(
        data=st.data(),
        comes=st.booleans(),
        dies=st.sampled_from([0, 0, 0, 1, 2]),
        tries=st.sampled_from([0, 0, 0, 0, 1, 2]),
    )
    def act(self, data: st.DataObject, comes: bool, dies: int, tries: int) -> None:
        """Do something; then a pass may come, whose worker at times ``dies`` after some pages, or
        that took too long so many times.
        """
        name, value = data.draw(actions(self.world))
        self._play(name, value)
        if comes or dies:
            self._pass(dies, tries)

    @rule(data=st.data())
    def act_late(self, data: st.DataObject) -> None:
        """Do something that is committed after a pass, whose transaction began before it."""
        of = actions(self.world).filter(lambda action: action[0] in LATE)
        name, value = data.draw(of)
        with self.sandbox.database.begin() as connection:
            late = _Late.of(self.sandbox, connection)
            self._play(name, value, late)
            self._timeline[-1]["late"] = True
            self._pass()
        self._pass()

    @rule(data=st.data(), comes=st.booleans(), mends=st.booleans())
    def act_without(self, data: st.DataObject, comes: bool, mends: bool) -> None:
        """Do something while a series is withheld; a pass may come meanwhile, and what waits for
        the series be handled before the pass with it.
        """
        key = data.draw(st.sampled_from(sorted(self._written["series"])))
        name, value = data.draw(actions(self.world).filter(lambda action: action[0] != "at"))
        sandbox = _Without.of(self.sandbox, key)
        self._play(name, value, sandbox)
        self._timeline[-1]["without"] = key
        if comes:
            since, self._since = self._since, self.sandbox.now
            self._run({NARROW: True}, since, sandbox=sandbox)
            self._timeline.append({"pass": str(self.sandbox.now), "without": key})
        if mends:
            self.sandbox.perform(unpark_signals)
        self._pass()

    def _play(self, name: str, value: Any, sandbox: Sandbox | None = None) -> None:
        """Play an action; the model goes along, so that what is generated makes sense."""
        self._timeline.append({name: deepcopy(value)})
        act = getattr(self.world, name)
        with suppress(RefusedError):
            plain = name in ("at", "activate", "pause", "resume", "stop")
            act(deepcopy(value)) if plain else act(**deepcopy(value))
        with suppress(Refusal):
            play(sandbox or self.sandbox, name, deepcopy(value))

    def _pass(self, dies: int = 0, tries: int = 0) -> None:
        self.sandbox.settle()
        since, self._since = self._since, self.sandbox.now
        before = self._everything()
        narrow = self._run({NARROW: True}, since, dies, tries)
        self._timeline.append({"pass": str(self.sandbox.now)})
        # Whoever entered may be done by now, and its seat free: that is for the next pass.
        for _ in range(REPEATED):
            if narrow == before:
                break
            before, narrow = narrow, self._run({NARROW: True}, self.sandbox.now)
        else:
            return
        everybody = self._run(None, None)
        left = self.sandbox.perform(lambda work: work.connection.execute(_notes_left(work)).all())
        if narrow != everybody or left:
            differing = [
                f"{name}: {sorted(set(everybody[name]) ^ set(narrow[name]), key=str)}"
                for name in narrow
                if narrow[name] != everybody[name]
            ]
            written = {**self._written, "timeline": self._timeline, "left": str(left)}
            raise AssertionError("\n".join([*differing, yaml.safe_dump(written, sort_keys=False)]))

    def _run(
        self,
        cursor: dict[str, Any] | None,
        since: datetime | None,
        dies: int = 0,
        tries: int = 0,
        sandbox: Sandbox | None = None,
    ) -> dict[str, Any]:
        def begin(work: Work) -> None:
            if since is not None:
                note_time(work, since)
            work.connection.execute(
                insert(signals).values(
                    org_id=work.org_id,
                    kind=SignalKind.REEVALUATED,
                    happened_at=work.now,
                    created_at=work.now,
                    cursor=cursor,
                    attempts=tries,
                )
            )

        self.sandbox.perform(begin)
        if dies:
            settling = self.sandbox.engine.settle(self.sandbox.org_id)
            for _ in zip(range(dies), settling, strict=False):
                pass
        (sandbox or self.sandbox).settle()
        return self._everything()

    def _everything(self) -> dict[str, Any]:
        def read(work: Work) -> dict[str, Any]:
            return {
                table.name: [
                    tuple(map(str, row))
                    for row in work.connection.execute(
                        select(*[each for each in table.c if each.name != "updated_at"])
                        .where(table.c.org_id == work.org_id)
                        .order_by(*table.primary_key.columns)
                    )
                ]
                for table in TABLES
            }

        return self.sandbox.perform(read)

    def teardown(self) -> None:
        """Clear the sandbox."""
        self._stack.close()


def _notes_left(work: Work) -> Any:
    return select(pass_notes).where(
        pass_notes.c.org_id == work.org_id, pass_notes.c.taken_by.is_not(None)
    )


@pytest.mark.parametrize("part", range(max(-(-SEQUENCES // SHARE), 1)))
def test_a_pass_over_everybody_finds_nothing_after_a_narrow_one(
    part: int, shared_database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may enter was found, and whoever left or reached a goal was noted."""
    # Some passes take several pages.
    monkeypatch.setattr(wide, "PAGE", 3)
    monkeypatch.setattr(wide, "SCANNED", 3)
    monkeypatch.setattr(forgetting, "AT_ONCE", 2)

    def passes() -> Passes:
        return Passes(shared_database, tmp_path)

    run_state_machine_as_test(
        cast("type[RuleBasedStateMachine]", seed(f"{SEED} {part}")(passes)),
        settings=settings(
            max_examples=min(SHARE, max(SEQUENCES - part * SHARE, 1)),
            stateful_step_count=STEPS + 1,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
