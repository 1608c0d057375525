"""Command groups whose help lists the commands in sections, and imports none of them."""

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click


class SectionedGroup(click.Group):
    """A group whose help shows ``sections``: names of commands by headings."""

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.sections = sections

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section; commands in no section come last."""
        named = {name for names in self.sections.values() for name in names}
        others = [name for name in self.list_commands(ctx) if name not in named]
        longest = max(len(name) for name in self.commands)
        for heading, names in {**self.sections, "Other commands": others}.items():
            listed = [(name, self.commands[name]) for name in names if name in self.commands]
            if not listed:
                continue
            room = formatter.width - 6 - longest
            # Aligns the second column across sections.
            rows = [(name.ljust(longest), each.get_short_help_str(room)) for name, each in listed]
            with formatter.section(heading):
                formatter.write_dl(rows)


class Listed(NamedTuple):
    """A command that is imported when it is called: its name, where it is, and its summary.

    ``source`` is ``module:name``. ``summary`` is the first sentence of the command's own help; the
    group's help shows it.
    """

    name: str
    source: str
    summary: str


class LazyGroup(SectionedGroup):
    """A sectioned group that imports a ``listed`` command when somebody calls it."""

    def __init__(self, *args: Any, listed: Iterable[Listed], **options: Any) -> None:
        super().__init__(*args, **options)
        self._sources = {each.name: each.source for each in listed}
        for each in listed:
            self.add_command(click.Command(each.name, help=each.summary))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, imported now if it was only listed so far."""
        source = self._sources.pop(cmd_name, None)
        if source is not None:
            module, _, name = source.partition(":")
            self.add_command(getattr(import_module(module), name), cmd_name)
        return super().get_command(ctx, cmd_name)
