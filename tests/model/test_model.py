"""The model of the contract, before anything is compared with it."""

from pathlib import Path

import pytest

from tests.model.playing.expectations import differences
from tests.model.playing.player import report, scenario_files
from tests.model.playing.snapshot import snapshot
from tests.model.world import World

SCENARIOS = scenario_files([str(Path(__file__).parent / "scenarios")])
SERIES = {
    "drip": {
        "entry_trigger": "event",
        "settings": {"entry_event_name": "go"},
        "steps": [{"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}],
    }
}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_model_holds_what_its_scenarios_expect(path: Path) -> None:
    """Every reading of the contract that no shown scenario covers is written down and held."""
    assert report(path) == []


def test_snapshot_of_a_world_is_expected_of_it() -> None:
    """A snapshot, read as an `expect`, differs in nothing from the world that it was taken of."""
    world = World(series=SERIES)
    world.activate("drip")
    world.identify("ann", {"email": "ann@a.example"})
    world.track("go", user_id="ann")
    taken = snapshot(world)
    assert list(differences(world, taken, None)) == []
    assert taken["sent"] == {"drip": {"ann": ["hi"]}}


def test_player_reports_what_differs(tmp_path: Path) -> None:
    """A wrong expectation, a refusal that is not expected and an unknown key each give a line."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        "timeline:\n"
        "  - identify: {user_id: ann, traits: {role: owner}}\n"
        "  - expect: {contact: {ann: {'custom:role': admin}}}\n"
        "  - track: {user_id: bob, event: go}\n"
    )
    assert report(wrong) == [
        "entry 2 (expect): contact ann custom:role: is owner, expected admin",
        "entry 3 (track): refused: 404: unknown user 'bob'",
    ]
    wrong.write_text("timelin: []\n")
    assert report(wrong) == ["scenario: unknown keys timelin"]
