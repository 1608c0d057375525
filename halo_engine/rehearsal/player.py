"""Plays a scenario: each entry of the timeline in turn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import DBAPIError

from halo_engine.answers.operations.parked import parked_rows, parked_signals
from halo_engine.database import problem_of, server_is_gone
from halo_engine.domain.errors import Refusal
from halo_engine.rehearsal.actions.series import refuse_as_planned
from halo_engine.rehearsal.actions.table import UnknownActionError, play
from halo_engine.rehearsal.expectations import differences
from halo_engine.rehearsal.expected import Expectation, ExpectedError
from halo_engine.rehearsal.sandbox import Sandbox, open_sandbox
from halo_engine.rehearsal.scenario import ScenarioEntry, read_scenario


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file's result: its title, None if unreadable, and a line for each difference."""

    path: Path
    title: str | None
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences


def play_file(path: Path, database: sqlalchemy.Engine) -> FileResult:
    """Play the scenario in a file and return what differed.

    A malformed file is a difference, and so is a database error. Raises DBAPIError only if the
    server is gone.
    """
    try:
        scenario = read_scenario(path)
    except Refusal as refusal:
        return FileResult(path, None, tuple(str(refusal).splitlines()))
    found: list[str] = []
    try:
        with open_sandbox(scenario, database) as sandbox:
            found.extend(_play(sandbox))
    except Refusal as refusal:
        found.append(f"setup: {refusal}")
    except DBAPIError as error:
        found.append(f"setup: {_said(error)}")
    return FileResult(path, scenario.title, tuple(found))


def scenario_files(paths: list[Path]) -> list[Path]:
    """Return the files, and the YAML files below the folders, in order."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]
    return found


def _play(sandbox: Sandbox) -> Iterator[str]:
    for entry in sandbox.scenario.timeline:
        try:
            lines, goes_on = _take(sandbox, entry)
        except DBAPIError as error:
            lines, goes_on = [_said(error)], False
        yield from (f"{entry.where}: {line}" for line in lines)
        if not goes_on:
            break
    signals, rows = sandbox.perform(parked_signals), sandbox.perform(parked_rows)
    parked = [("signal", each.error) for each in signals] + [("row", each.error) for each in rows]
    for sort, raised in parked:
        said, _, _ = raised.partition("\n")
        yield f"a {sort} failed and was set aside: {said}"


def _take(sandbox: Sandbox, entry: ScenarioEntry) -> tuple[Sequence[str], bool]:
    """Play one entry; return its differences, and whether to go on."""
    if isinstance(entry.value, Expectation):
        return list(differences(sandbox, entry.value)), True
    problem, goes_on = _perform(sandbox, entry)
    return [problem] if problem else [], goes_on


def _said(error: DBAPIError) -> str:
    """Return the database's error in words; raise it if the server is gone."""
    if server_is_gone(error):
        raise error
    return f"the database says: {problem_of(error)}"


def _perform(sandbox: Sandbox, entry: ScenarioEntry) -> tuple[str | None, bool]:
    """Play an action; return how it differs, and whether to go on."""
    try:
        problem = play(sandbox, entry.action, entry.value)
        # A plan is answered even where its save would be refused: that may be what is expected.
        if entry.action == "plan" and entry.error is not None:
            refuse_as_planned(sandbox)
    except UnknownActionError as error:
        return str(error), False
    except Refusal as refusal:
        problem = _unexpected(refusal, entry.error)
        return problem, entry.error is not None
    if entry.error is not None:
        return f"was not refused, expected {entry.error.status}", True
    return problem, True


def _unexpected(refusal: Refusal, expected: ExpectedError | None) -> str | None:
    """Return how a refusal differs from the expected one."""
    if expected is None:
        return f"was refused: {refusal.status} {refusal.message}"
    if refusal.status != expected.status:
        return f"was refused with {refusal.status}, expected {expected.status}"
    if expected.message not in (None, refusal.message):
        return f"was refused with “{refusal.message}”, expected “{expected.message}”"
    return None
