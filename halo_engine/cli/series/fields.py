"""`halo fields` and `halo events`: what filters, merge fields and triggers can name."""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import click

from halo_engine.answers.reports.events import KnownEvent, known_events
from halo_engine.answers.reports.fields import Fields, KnownField, known_fields
from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import plain, print_table, shown_at

#: How many values of a field are printed; ``--json`` lists more.
_VALUES_DRAWN: Final = 5
_LONGEST_DRAWN: Final = 24


@click.command(name="fields")
@click.option("--all", "everything", is_flag=True, help="Also fields that no contact has.")
@in_organization
def fields_command(context: CommandContext, everything: bool) -> None:
    """List the fields that filters can use, with their values.

    For each field: its type, its operators, how many contacts have a value, and the most frequent
    values among the newest 5,000 contacts. `--json` lists twenty values of each.
    """
    context.show(
        context.ask(known_fields), lambda found: _draw_fields(found, everything=everything)
    )


def _draw_fields(found: Fields, *, everything: bool) -> None:
    click.echo(f"{found.looked_at} of {found.contacts} contacts were looked at")
    shown = [each for each in found.fields if everything or each.contacts]
    if shown:
        click.echo()
        print_table(
            ("field", "type", "operators", "have one", "values seen most"),
            [
                (each.field, _type(each), ", ".join(each.operators), each.contacts, _values(each))
                for each in shown
            ],
            numbers=["have one"],
        )
    if hidden := len(found.fields) - len(shown):
        click.echo(f"\n{hidden} more that nobody has: --all")
    if found.lists:
        click.echo()
        rows = [(each.list, each.subscribers) for each in found.lists]
        print_table(("list", "subscribers"), rows, numbers=["subscribers"])


def _type(known: KnownField) -> str:
    """Return the field's type; all of them if several are stored."""
    if len(known.types) < 2:
        return known.type
    return ", ".join(f"{name} ({number})" for name, number in known.types.items())


def _values(known: KnownField) -> str:
    drawn = [
        f"{_cut(plain(each.value))} ({each.contacts})" for each in known.values[:_VALUES_DRAWN]
    ]
    return ", ".join([*drawn, *("…" for _ in known.values[_VALUES_DRAWN:][:1])])


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_DRAWN else f"{text[: _LONGEST_DRAWN - 1]}…"


@click.command(name="events")
@in_organization
def events_command(context: CommandContext) -> None:
    """List the events that fired, how often, first and last.

    These are the names that an `event` trigger, an exit event, a gate and `event:NAME` can use.
    """
    context.show(context.ask(known_events), lambda found: _draw_events(found, context.zone))


def _draw_events(found: Sequence[KnownEvent], zone: ZoneInfo) -> None:
    if not found:
        click.echo("No event has fired yet; `halo track` fires one.")
        return
    print_table(
        ("event", "times", "contacts", "first", "last"),
        [
            (
                each.event,
                each.count,
                each.contacts,
                shown_at(each.first_at, zone),
                shown_at(each.last_at, zone),
            )
            for each in found
        ],
        numbers=["times", "contacts"],
    )
