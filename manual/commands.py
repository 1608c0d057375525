"""Makes the page of commands from `halo COMMAND --help`."""

from collections.abc import Iterator

import click

from halo_engine.cli.sections import SectionedGroup
from manual.markdown import code, prose, table
from workers.command.main import main


def page() -> str:
    """Return the page: the commands by section, each with its usage, help and options."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "# Commands\n"
    yield (
        "What `halo COMMAND --help` says of every command. "
        "[Using the command](../guides/command.md) says what all of them have in common.\n"
    )
    top = click.Context(main, info_name="halo")
    for section, names in main.sections.items():
        yield f"## {section}\n"
        for name in names:
            yield from _described(main, name, top)


def _described(group: click.Group, name: str, above: click.Context) -> Iterator[str]:
    command = group.get_command(above, name)
    assert command is not None
    context = click.Context(command, info_name=name, parent=above)
    if isinstance(command, click.Group):
        for each in _in_order(command, context):
            yield from _described(command, each, context)
        return
    yield f"### `{context.command_path}`\n"
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"`{context.command_path} {pieces}`\n"
    yield prose(command.help) + "\n"
    if options := list(_options(command, context)):
        yield table(("option", ""), options)


def _in_order(group: click.Group, context: click.Context) -> list[str]:
    if isinstance(group, SectionedGroup):
        return [name for names in group.sections.values() for name in names]
    return group.list_commands(context)


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record and isinstance(option, click.Option) and "--help" not in option.opts:
            yield code(record[0]), record[1]
