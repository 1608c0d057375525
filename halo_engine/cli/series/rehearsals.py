"""`halo test`: plays scenario files against the real engine, one line each."""

import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from halo_engine.cli.context import json_option, refusing
from halo_engine.cli.installation import Installation, log_to_standard_error
from halo_engine.cli.output import first_line, plain, print_json
from halo_engine.domain.errors import Refusal, not_found
from halo_engine.domain.yaml_files.core import load_yaml
from halo_engine.domain.yaml_files.source import YamlSource, read_text
from halo_engine.rehearsal.player import FileResult, play_file, scenario_files
from halo_engine.rehearsal.temporary_schema import engine_in, temporary_schema

#: How many scenarios are worth another process.
_WORTH_A_PROCESS: Final = 4

#: Recognises a scenario without parsing the file.
_SCENARIO_KEY: Final = re.compile(r"^[\"']?scenario[\"']?\s*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Played:
    """One scenario's result and duration."""

    result: FileResult
    seconds: float

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "path": str(self.result.path),
            "scenario": self.result.title,
            "ok": self.result.passed,
            "seconds": round(self.seconds, 2),
            "differences": list(self.result.differences),
        }


@click.command(name="test")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-k", "word", metavar="WORD", help="Only scenarios with WORD in title or path.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="How many to play at once; as many as there are processors if unset.",
)
@json_option
@click.pass_obj
def test_command(
    installation: Installation,
    /,
    paths: Sequence[Path],
    word: str | None,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Play scenario files and folders on a virtual clock.

    Exits 1 when one failed. Your installation is not touched: no mail is sent, and each run has its
    own tables, on the server that HALO_DATABASE_URL names, or else on one that is started for the
    run.
    """
    began = time.perf_counter()
    with refusing(as_json):
        files = [file for file in _files(paths) if word is None or _has(file, word)]
        if not files:
            named = f" with {word} in title or path" if word else ""
            raise Refusal(404, "no_scenario", f"There is no scenario{named} in {_listed(paths)}.")
        played = []
        for each in _play_all(installation, files, jobs):
            played.append(each)
            if not as_json:
                _draw(each)
    failed = sum(not each.result.passed for each in played)
    seconds = time.perf_counter() - began
    if as_json:
        counts = {"passed": len(played) - failed, "failed": failed, "seconds": round(seconds, 2)}
        print_json({"ok": not failed, **counts, "scenarios": [each.as_data() for each in played]})
    else:
        click.echo(f"{len(played) - failed} passed, {failed} failed in {seconds:.1f} s")
    raise SystemExit(1 if failed else 0)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the scenario files; in folders, files with nothing but series are skipped."""
    for path in paths:
        if not path.exists():
            raise not_found("file", str(path))
        files = scenario_files([path])
        yield from (each for each in files if each is path or not _is_series_file(each))


def _is_series_file(path: Path) -> bool:
    try:
        text = read_text(path)
        if _SCENARIO_KEY.search(text):
            return False
        return set(load_yaml(text, str(path)) or ()) == {"series"}
    except (Refusal, TypeError):
        return False


def _has(path: Path, word: str) -> bool:
    """Return whether the word is in the path or the title, in any case."""
    word = word.casefold()
    if word in str(path).casefold():
        return True
    try:
        title = YamlSource.read(path).data["scenario"]
    except (Refusal, TypeError, KeyError):
        return False
    return word in str(title).casefold()


def _play_all(
    installation: Installation, files: Sequence[Path], jobs: int | None
) -> Iterator[Played]:
    """Play the files, several at once; yield the results in the files' order."""
    wanted = jobs or min(os.cpu_count() or 1, -(-len(files) // _WORTH_A_PROCESS))
    with installation.rehearsal_server() as url, temporary_schema(url) as schema:
        if wanted == 1:
            database = engine_in(url, schema)
            yield from map(partial(play_timed, database), files)
            database.dispose()
            return
        # Spawned, not forked: connections do not survive a fork.
        context = get_context("spawn")
        with ProcessPoolExecutor(wanted, context, _begin) as pool:
            # The largest first, so that no long one starts last.
            by_size = sorted(files, key=_size, reverse=True)
            played = {file: pool.submit(_play_here, url, schema, file) for file in by_size}
            yield from (played[file].result() for file in files)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def play_timed(database: Engine, path: Path) -> Played:
    """Play one scenario; any exception that it raises is a difference too."""
    began = time.perf_counter()
    try:
        result = play_file(path, database)
    except DBAPIError:
        # The server is gone: no scenario can be played.
        raise
    except Exception as error:  # noqa: BLE001 -- one broken scenario must not end the others
        said = f"cannot be played: {type(error).__name__}: {first_line(str(error))}"
        result = FileResult(path, None, (said,))
    return Played(result, time.perf_counter() - began)


def _begin() -> None:
    """Set up a player's process: Ctrl-C is handled by its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_standard_error()


def _play_here(url: str, schema: str, path: Path) -> Played:
    return play_timed(_engine_here(url, schema), path)


@cache
def _engine_here(url: str, schema: str) -> Engine:
    """Return this process's engine on the temporary schema."""
    return engine_in(url, schema)


def _draw(played: Played) -> None:
    result = played.result
    verdict = (
        click.style("ok    ", fg="green") if result.passed else click.style("FAILED", fg="red")
    )
    click.echo(f"{verdict}{played.seconds:6.2f} s  {result.path}  {plain(result.title)}")
    for difference in result.differences:
        click.echo(f"{'':8}{plain(difference)}")


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))
