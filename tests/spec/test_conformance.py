"""Every scenario file holds in the engine, on real PostgreSQL, and in the independent model."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from halo_engine.rehearsal.player import play_file
from tests.model.playing.player import report, scenario_files

TESTS = Path(__file__).parents[1]
SCENARIOS = scenario_files(
    [
        str(TESTS / folder)
        for folder in ("conformance", "model/scenarios", "spec/regressions", "spec/rows")
    ]
)
#: Long generated ones: the suite plays two of them in the engine, `make torture` all.
_MORE = [path for path in SCENARIOS if path.parent.name == "random"][2:]
IN_ENGINE = [
    pytest.param(path, marks=[pytest.mark.torture] if path in _MORE else []) for path in SCENARIOS
]


def _name(path: Path) -> str:
    return str(path.relative_to(TESTS))


@pytest.mark.parametrize("path", IN_ENGINE, ids=_name)
def test_engine_holds_scenario(path: Path, shared_database: Engine) -> None:
    """The engine does what the scenario expects."""
    assert play_file(path, shared_database).differences == ()


@pytest.mark.parametrize("path", SCENARIOS, ids=_name)
def test_model_holds_scenario(path: Path) -> None:
    """The model does what the scenario expects."""
    assert report(path) == []
