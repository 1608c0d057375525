"""docs/reference/commands.md is complete, and so is the help."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from halo_engine.cli.commands import COMMANDS
from halo_engine.cli.groups import series
from halo_engine.cli.sections import SectionedGroup
from workers.command.main import main

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"

#: Imported by commands, and each a tenth of a second or more.
HEAVY = {"alembic", "celery", "kombu", "psycopg", "pydantic", "redis", "rich", "sqlalchemy"}


def _members(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Return a group's commands by name, imported."""
    for name in group.commands:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield name, command


def _commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in _members(group):
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_every_command_is_documented() -> None:
    """The page has each command as it is typed."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in _commands(main, "halo") if f"`{name}" not in text] == []


def test_every_command_says_what_it_does() -> None:
    """The command lists show one whole sentence for each."""
    top = [command for _, command in _members(main)]
    groups = [each for each in top if isinstance(each, click.Group)]
    listed = [*top, *(each for group in groups for _, each in _members(group))]
    assert [each.name for each in listed if each.get_short_help_str(66).endswith("...")] == []


def test_the_help_lists_commands_in_their_own_words() -> None:
    """A listed command that is not imported yet has the first sentence of its help as summary."""
    listed = {each.name: each.summary for each in COMMANDS}
    said = {name: command.get_short_help_str(80) for name, command in _members(main)}
    assert {name: said[name] for name in listed} == listed
    assert {name: command.name for name, command in _members(main)} == {name: name for name in said}


def test_the_help_imports_no_command() -> None:
    """`halo --help` reads no library that a command needs, so it is there at once."""
    code = """
import sys
from workers.command.main import main
main(["--help"], standalone_mode=False)
print("imported:", *sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    printed, _, imported = run.stdout.partition("imported:")
    assert "Usage: " in printed
    assert HEAVY & {*imported.split()} == set()


def test_every_command_stands_in_a_section_of_the_help() -> None:
    """Sections name all commands and no others; the first steps come first."""
    for group in (main, series):
        assert isinstance(group, SectionedGroup)
        named = [name for names in group.sections.values() for name in names]
        assert sorted(named) == sorted(group.commands)
    printed = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    assert printed.startswith("Usage: halo [OPTIONS] COMMAND [ARGS]...\n")
    assert printed.index("A first series:") < printed.index("Set up:") < printed.index("Series:")
    assert "..." not in printed.partition("Set up:")[2]
