"""docs/commands.md is complete, and so is the help."""

from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from halo_engine.cli.commands import COMMANDS
from halo_engine.cli.sections import SectionedGroup
from halo_engine.cli.series import series
from workers.command import main

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"


def _commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
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
    groups = [each for each in COMMANDS if isinstance(each, click.Group)]
    listed = [*COMMANDS, *(each for group in groups for each in group.commands.values())]
    assert [each.name for each in listed if each.get_short_help_str(66).endswith("...")] == []


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
