"""docs/commands.md says all that there is to say."""

from collections.abc import Iterator
from pathlib import Path

import click

from halo_engine.cli.commands import COMMANDS
from workers.command import main

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"


def _commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_every_command_is_documented() -> None:
    """Each command is in the document, as it is typed."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in _commands(main, "halo") if f"`{name}" not in text] == []


def test_every_command_says_what_it_does() -> None:
    """The lists of commands show one whole sentence for each."""
    groups = [each for each in COMMANDS if isinstance(each, click.Group)]
    listed = [*COMMANDS, *(each for group in groups for each in group.commands.values())]
    assert [each.name for each in listed if each.get_short_help_str(66).endswith("...")] == []
