"""Playing a scenario: each entry of the timeline in turn, until one differs from what was
expected.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy

from halo_engine.domain.errors import Refusal
from halo_engine.rehearsal.actions import play
from halo_engine.rehearsal.expectations import differences
from halo_engine.rehearsal.observations import signals_set_aside
from halo_engine.rehearsal.scenario import Entry, Expectation, read_scenario
from halo_engine.rehearsal.stage import Stage, set_stage


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one file: its title when it could be read, and a line for each difference."""

    path: Path
    title: str | None
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences


def play_file(path: Path, database: sqlalchemy.Engine) -> Result:
    """Play the scenario in a file and return what differed; a malformed file is a difference."""
    try:
        scenario = read_scenario(path)
    except Refusal as refusal:
        return Result(path, None, (str(refusal),))
    try:
        with set_stage(scenario, database) as stage:
            found = tuple(_play(stage))
    except Refusal as refusal:
        found = (f"stage: {refusal}",)
    return Result(path, scenario.title, found)


def scenario_files(paths: list[Path]) -> list[Path]:
    """Return the files named, and the YAML files below the folders named, in order."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]
    return found


def _play(stage: Stage) -> Iterator[str]:
    for entry in stage.scenario.timeline:
        if isinstance(entry.value, Expectation):
            yield from (f"{entry.where}: {line}" for line in differences(stage, entry.value))
            continue
        problem, goes_on = _perform(stage, entry)
        if problem:
            yield f"{entry.where}: {problem}"
        if not goes_on:
            break
    for problem in stage.perform(signals_set_aside):
        said, _, _ = problem.partition("\n")
        yield f"a signal failed and was set aside: {said}"


def _perform(stage: Stage, entry: Entry) -> tuple[str | None, bool]:
    """Play an action; return how it differs, and whether what follows still means anything."""
    try:
        problem = play(stage, entry.action, entry.value)
    except Refusal as refusal:
        if entry.error is None:
            return f"was refused: {refusal.status} {refusal.message}", False
        if refusal.status != entry.error.status:
            return f"was refused with {refusal.status}, expected {entry.error.status}", True
        if entry.error.message not in (None, refusal.message):
            return (
                f"was refused with “{refusal.message}”, expected “{entry.error.message}”",
                True,
            )
        return None, True
    if entry.error is not None:
        return f"was not refused, expected {entry.error.status}", True
    return problem, True
