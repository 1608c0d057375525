"""`halo series`: showing series, and an operator's actions on one."""

import getpass
from collections.abc import Callable, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import click

from halo_engine.answers.overview import SeriesLine, overview
from halo_engine.cli.activation import watch_activation
from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import plain, print_table, shown_at
from halo_engine.cli.sections import SectionedGroup
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.series import Series
from halo_engine.domain.yaml_core import dump_yaml
from halo_engine.journey.removal import remove, stop_series
from halo_engine.series import lifecycle
from halo_engine.series.lifecycle import find_series
from halo_engine.series.showing import ShownSeries, show_series
from halo_engine.work import Work

_SECTIONS: Final = {
    "Write": ("example", "check", "apply", "show", "list"),
    "Run": ("activate", "pause", "resume", "stop", "remove"),
    "Ask": ("preview", "diagnose", "ledger", "funnel"),
    "Look at its mail": ("render", "send-test", "retry-failed"),
}


@click.group(name="series", cls=SectionedGroup, sections=_SECTIONS)
def series() -> None:
    """Write series, run them, and ask about them.

    KEY is how a series is named in its file. `halo explain CONTACT KEY` says why somebody is in it
    or not.
    """


def _who(given: str | None) -> str:
    """Return the operator's name, which the active periods keep."""
    try:
        return given or getpass.getuser()
    except (KeyError, OSError):
        return "operator"


by_option = click.option("--by", help="Who does this; the user logged in unless given.")


@series.command(name="list")
@in_organization
def list_command(context: CommandContext) -> None:
    """List the series, in order of creation."""
    context.show(context.ask(overview), _draw_list)


def _draw_list(lines: Sequence[SeriesLine]) -> None:
    columns = ("series", "status", "trigger", "audience", "kind", "enrollments", "in it now")
    print_table(
        columns,
        [
            (
                each.series,
                each.status,
                each.entry_trigger,
                each.audience_type,
                each.kind,
                each.enrollments,
                each.active,
            )
            for each in lines
        ],
        numbers=columns[-2:],
    )


@series.command()
@click.argument("key")
@in_organization
def show(context: CommandContext, key: str) -> None:
    """Show series KEY as a file that `halo series apply` takes."""

    context.show(
        context.ask(lambda work: show_series(work, key)), lambda found: _draw(found, context.zone)
    )


def _draw(found: ShownSeries, zone: ZoneInfo) -> None:
    since = f"first activated {shown_at(found.activated_at, zone)}, "
    since = since if found.activated_at else ""
    changed = shown_at(found.updated_at, zone)
    click.echo(f"# {found.series} is {found.status}, {since}last changed {changed}")
    for message in found.refusals:
        click.echo(f"# refused: {message}")
    for each in found.warnings:
        click.echo(f"# warning [{each.code}] {plain(each.place)}: {plain(each.message)}")
    click.echo(dump_yaml({"series": {found.series: found.definition}}), nl=False)


@series.command()
@click.argument("key")
@by_option
@click.option(
    "--wait/--no-wait",
    default=None,
    help="Show how far the enrollment is until it is done; on a terminal unless said otherwise.",
)
@in_organization
def activate(context: CommandContext, key: str, by: str | None, wait: bool | None) -> None:
    """Make the draft KEY active; the workers enroll who matches."""
    context.perform(lambda work: lifecycle.activate(work, key, _who(by)))
    watch_activation(context, key, wait)


@series.command()
@click.argument("key")
@by_option
@in_organization
def pause(context: CommandContext, key: str, by: str | None) -> None:
    """Pause KEY: nobody enters, nothing is sent.

    Exits and goals go on.
    """
    _change(context, key, lifecycle.pause, by)


@series.command()
@click.argument("key")
@by_option
@in_organization
def resume(context: CommandContext, key: str, by: str | None) -> None:
    """Make the paused KEY active again, after the same checks."""
    _change(context, key, lifecycle.resume, by)


def _change(
    context: CommandContext, key: str, change: Callable[[Work, str, str], Series], by: str | None
) -> None:
    def changed(work: Work) -> dict[str, str]:
        change(work, key, _who(by))
        return {"series": key, "status": find_series(work, key).status}

    context.show(
        context.perform(changed), lambda answer: click.echo(f"{key} is {answer['status']}.")
    )


@series.command()
@click.argument("key")
@by_option
@in_organization
def stop(context: CommandContext, key: str, by: str | None) -> None:
    """Complete KEY for good; everybody in it leaves.

    Their exit reason is `manual`.
    """
    removed = stop_series(context.perform, key, _who(by))
    status = context.ask(lambda work: find_series(work, key).status)
    context.show(
        {"series": key, "status": status, "removed": removed},
        lambda answer: click.echo(f"{key} is {answer['status']}; {removed} left it."),
    )


@series.command(name="remove")
@click.argument("key")
@click.argument("contact")
@in_organization
def remove_command(context: CommandContext, key: str, contact: str) -> None:
    """Take CONTACT out of KEY.

    CONTACT is named by its user ID, or by its email where it has none.
    """

    def removed(work: Work) -> dict[str, str]:
        [contact_id] = find_contacts(work, [contact])
        remove(work, contact_id, find_series(work, key))
        return {"series": key, "contact": contact, "exit_reason": "manual"}

    context.show(context.perform(removed), lambda _: click.echo(f"{contact} has left {key}."))
