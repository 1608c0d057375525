"""Command groups whose help lists the commands in sections."""

from collections.abc import Mapping, Sequence
from typing import Any

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
