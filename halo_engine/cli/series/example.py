"""`halo series example`: a commented series file for each trigger, to begin with."""

from importlib.resources import files
from typing import Final

import click

from halo_engine.cli.output import print_table
from halo_engine.domain.reasons import EntryTrigger

#: What each trigger's example is about.
_ABOUT: Final = {
    EntryTrigger.MANUAL: "everybody who matches, once: an announcement",
    EntryTrigger.USER_CREATED: "every new contact: a welcome",
    EntryTrigger.EVENT: "whoever an event fires for: a trial",
    EntryTrigger.SEGMENT_MATCH: "whoever comes to match a filter: a renewal",
}


@click.command(name="example")
@click.argument(
    "name",
    required=False,
    metavar="[NAME]",
    type=click.Choice([each.value for each in EntryTrigger]),
)
def example_command(name: str | None) -> None:
    """Print a commented series file to begin with.

    NAME is a trigger; without it the examples are listed. `halo series check FILE` passes each.
    """
    if name is None:
        print_table(("example", "for"), [(each.value, about) for each, about in _ABOUT.items()])
        return
    click.echo(example(EntryTrigger(name)), nl=False)


def example(trigger: EntryTrigger) -> str:
    """Return the text of the example for a trigger."""
    return (files(__package__) / "examples" / f"{trigger}.yaml").read_text(encoding="utf-8")
