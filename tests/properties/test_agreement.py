"""The engine does what an independent model of the contract does, whatever is done to both.

A difference is reported as a scenario file; those that were found are kept in `spec/regressions`.
"""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from halo_engine.rehearsal.sandbox import Sandbox
from tests.properties.actions import actions, beginnings
from tests.properties.definitions import stages
from tests.properties.twins import LiveSandbox, Twins, set_twins

#: How many sequences are played, each of STEPS actions; `make torture` asks for more, and for
#: others than those of every run of the suite.
SEQUENCES = int(os.environ.get("HALO_TEST_SEQUENCES", "8"))
SEED = os.environ.get("HALO_TEST_SEED", "the suite")
#: How many of them are a test, so that the processes can share the work.
SHARE = 4
STEPS = 30
#: After how many actions everything stored is compared; what each action answers always is. A
#: difference rarely heals, so `make torture` spends that time on more sequences.
PACE = int(os.environ.get("HALO_TEST_PACE", "10"))


class Side(RuleBasedStateMachine):
    """One sequence of actions, played in both."""

    def __init__(self, database: Engine, folder: Path) -> None:
        super().__init__()
        self._setting = database, folder
        self._stack = ExitStack()
        self._played = 0
        self.twins: Twins

    @initialize(written=stages(), kind=st.sampled_from((Sandbox, LiveSandbox)))
    def set_the_stage(self, written: dict[str, Any], kind: type[Sandbox]) -> None:
        """Set both on a new stage, where somebody is known already."""
        self.twins = self._stack.enter_context(set_twins(written, *self._setting, kind))
        for name, value in beginnings(self.twins.world):
            self.twins.play(name, value)

    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        """Do something to both."""
        name, value = data.draw(actions(self.twins.world))
        self.twins.play(name, value)
        self._played += 1
        if self._played % PACE == 0:
            self.twins.compare()

    def teardown(self) -> None:
        """Compare what it came to, and clear the sandbox."""
        with self._stack:
            if self._played % PACE:
                self.twins.compare()


@pytest.mark.parametrize("part", range(-(-SEQUENCES // SHARE)))
def test_engine_agrees_with_model(part: int, shared_database: Engine, tmp_path: Path) -> None:
    """After any sequence of actions engine and model refuse, answer and store the same."""

    def side() -> Side:
        return Side(shared_database, tmp_path)

    run_state_machine_as_test(
        cast("type[RuleBasedStateMachine]", seed(f"{SEED} {part}")(side)),
        settings=settings(
            max_examples=min(SHARE, SEQUENCES - part * SHARE),
            # Setting the sandbox is a step too.
            stateful_step_count=STEPS + 1,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
