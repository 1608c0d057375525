"""Plays scenario files against the model (scenarios.md).

`python -m tests.model.playing.player PATH…`
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from tests.model.language.refusals import RefusedError
from tests.model.language.yaml_core import load
from tests.model.playing.expectations import differences
from tests.model.world import World

STAGE = ("scenario", "start", "org", "lists", "series", "timeline")
SERIES_ACTIONS = ("activate", "pause", "resume", "stop")
MAPPING_ACTIONS = (
    "identify",
    "identify_company",
    "track",
    "update",
    "import_csv",
    "capture_lead",
    "add_contact",
    "stripe_subscription",
    "subscribe",
    "unsubscribe",
    "save_list",
    "confirm",
    "bounce",
    "complain",
    "unsuppress",
    "change_org",
    "open",
    "click",
    "reply",
    "remove",
    "erase",
    "save",
    "plan",
    "release",
    "restart",
)


class MalformedScenarioError(Exception):
    """A scenario holds a key or a value that scenarios.md does not know."""


def _check_keys(mapping: Any, known: tuple[str, ...], where: str) -> None:
    if not isinstance(mapping, dict):
        raise MalformedScenarioError(f"{where} is no mapping")
    unknown = sorted(set(mapping) - set(known))
    if unknown:
        raise MalformedScenarioError(f"{where}: unknown keys {', '.join(unknown)}")


class Player:
    """Plays one scenario file and yields a line for each difference (scenarios.md).

    `world_class` lets a variant of the model be played instead. Raises
    `MalformedScenarioError` for what is no scenario.
    """

    def __init__(self, path: Path, world_class: Callable[..., World] = World) -> None:
        self.folder = path.parent
        self.scenario = load(path.read_text(encoding="utf-8"))
        _check_keys(self.scenario, STAGE, "scenario")
        sandbox = {key: self.scenario[key] for key in STAGE[1:5] if key in self.scenario}
        try:
            self.world = world_class(**sandbox)
        except RefusedError as refusal:
            raise MalformedScenarioError(f"stage: {refusal}") from None
        self.answer: Any = None

    def differences(self) -> Iterator[str]:
        """Play the timeline; stops at an action that should not have been refused."""
        for number, entry in enumerate(self.scenario.get("timeline", []), 1):
            names = [name for name in entry if name != "error"]
            if len(names) != 1:
                raise MalformedScenarioError(f"entry {number} is not one action")
            where = f"entry {number} ({names[0]})"
            if names[0] == "expect":
                found = differences(self.world, entry["expect"], self.answer)
                yield from (f"{where}: {line}" for line in found)
                continue
            problem = self._play_guarded(names[0], entry[names[0]], entry.get("error"))
            if problem:
                yield f"{where}: {problem}"
                if "error" not in entry:
                    return

    def _play_guarded(self, name: str, value: Any, error: Any) -> str | None:
        """Play an action; return how its refusal, or the lack of one, differs."""
        try:
            problem = self._play(name, value)
            if name == "plan" and error is not None and self.answer["refusals"]:
                raise RefusedError(400, self.answer["refusals"][0])
        except RefusedError as refusal:
            if error is None:
                return f"refused: {refusal}"
            _check_keys(error, ("status", "message"), "error")
            same = error.get("status", refusal.status) == refusal.status
            same = same and error.get("message", refusal.message) == refusal.message
            return None if same else f"refused with {refusal}, expected {error}"
        except TypeError as mistake:
            raise MalformedScenarioError(f"{name}: {mistake}") from mistake
        return problem if error is None else f"not refused, expected {error}"

    def _play(self, name: str, value: Any) -> str | None:
        if name == "repeat":
            _check_keys(value, ("times", "action"), "repeat")
            ((action, argument),) = value["action"].items()
            problems = [self._play(action, argument) for _ in range(value["times"])]
            return next(filter(None, problems), None)
        if name == "at":
            self.world.at(value)
        elif name in SERIES_ACTIONS:
            getattr(self.world, name)(value)
        elif name in MAPPING_ACTIONS:
            return self._call(name, dict(value))
        else:
            raise MalformedScenarioError(f"unknown action {name}")
        return None

    def _call(self, name: str, arguments: dict[str, Any]) -> str | None:
        expected = arguments.pop("expect", {}) if name in ("update", "import_csv") else {}
        if name == "import_csv" and "file" in arguments:
            path = self.folder / arguments.pop("file")
            arguments["text"] = path.read_bytes().decode("utf-8-sig")
        self.answer = getattr(self.world, name)(**arguments)
        wrong = {key: self.answer[key] for key in expected if self.answer[key] != expected[key]}
        return f"answered {wrong}, expected {expected}" if wrong else None


def scenario_files(paths: list[str]) -> list[Path]:
    """Return the files named, and the YAML files below the folders named, in order."""
    found: list[Path] = []
    for path in map(Path, paths):
        found += sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    return found


def report(path: Path, world_class: Callable[..., World] = World) -> list[str]:
    """Return a line for each difference that playing a scenario file finds."""
    try:
        return list(Player(path, world_class).differences())
    except (MalformedScenarioError, yaml.YAMLError, OSError) as problem:
        return [str(problem)]


def main(paths: list[str]) -> int:
    """Play files and folders, print a line for each, and return 1 if any differed, else 0."""
    failed = 0
    for path in scenario_files(paths):
        lines = report(path)
        failed += bool(lines)
        click.echo(f"{'differs' if lines else 'passes '} {path}")
        for line in lines:
            click.echo(f"    {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
