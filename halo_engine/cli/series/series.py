"""`halo series`: showing series, and an operator's actions on one."""

from collections.abc import Callable, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import click

from halo_engine.answers.plans.activation import refuse_beyond
from halo_engine.answers.reports.overview import SeriesLine, overview
from halo_engine.cli.context import CommandContext, in_organization, operator_name
from halo_engine.cli.output import plain, print_table, shown_at
from halo_engine.cli.sections import SectionedGroup
from halo_engine.cli.series.activation import ask_before_many, watch_activation
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.series.definition import Series
from halo_engine.domain.yaml_files.core import dump_yaml
from halo_engine.doors.calls import ActivateCall, ContactCall, SeriesCall
from halo_engine.journey.removal import remove, stop_series
from halo_engine.series import lifecycle
from halo_engine.series.files.showing import ShownSeries, show_series
from halo_engine.series.lifecycle import find_series
from halo_engine.work import Work

_SECTIONS: Final = {
    "Write": ("example", "check", "plan", "apply", "show", "list", "history", "revert"),
    "Run": ("activate", "pause", "resume", "stop", "release", "remove"),
    "Ask": ("preview", "diagnose", "ledger", "funnel"),
    "Look at its mail": ("render", "send-test", "retry-failed"),
}


@click.group(name="series", cls=SectionedGroup, sections=_SECTIONS)
def series() -> None:
    """Write series, run them, and ask about them.

    KEY is the name of a series in its file. `halo explain CONTACT KEY` says why a contact is in it
    or not.
    """


by_option = click.option("--by", help="Who does this; the user logged in if unset.")


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
@click.option("--version", type=click.IntRange(min=1), help="Show this one of its versions.")
@in_organization
def show(context: CommandContext, key: str, version: int | None) -> None:
    """Show series KEY as a file that `halo series apply` takes."""

    context.show(
        context.ask(lambda work: show_series(work, key, version)),
        lambda found: _draw(found, context.zone),
    )


def _draw(found: ShownSeries, zone: ZoneInfo) -> None:
    since = f"first activated {shown_at(found.activated_at, zone)}, "
    since = since if found.activated_at else ""
    changed = shown_at(found.updated_at, zone)
    click.echo(
        f"# {found.series} is {found.status}, {since}version {found.version}, saved {changed}"
    )
    for about, text in found.words.items():
        click.echo(f"# {about}: {plain(text)}")
    if found.surge_at_most is not None:
        click.echo(f"# its surge takes at most: {found.surge_at_most}")
    if found.held:
        pace = f", released at {found.releasing}" if found.releasing else ""
        click.echo(f"# held by its surge: {found.held}{pace}")
    for message in found.refusals or ():
        click.echo(f"# refused: {message}")
    for each in found.warnings or ():
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
@click.option(
    "--confirm",
    type=click.IntRange(min=0),
    help="Activate it if at most so many contacts enter; without it a terminal asks beyond 100.",
)
@in_organization
def activate(
    context: CommandContext, key: str, by: str | None, wait: bool | None, confirm: int | None
) -> None:
    """Make the draft KEY active; the workers enroll who matches."""
    if confirm is None:
        ask_before_many(context, key)

    def activated(work: Work) -> None:
        series = lifecycle.activate(work, key, operator_name(by))
        refuse_beyond(work, series, confirm)

    call = ActivateCall(series=key, expect_at_most=confirm)
    context.change("series.activate", call, activated, by)
    watch_activation(context, key, wait)


@series.command()
@click.argument("key")
@by_option
@in_organization
def pause(context: CommandContext, key: str, by: str | None) -> None:
    """Pause KEY: nobody enters, nothing is sent.

    Exits and goals go on.
    """
    _change(context, "series.pause", key, lifecycle.pause, by)


@series.command()
@click.argument("key")
@by_option
@in_organization
def resume(context: CommandContext, key: str, by: str | None) -> None:
    """Make the paused KEY active again, after the same checks."""
    _change(context, "series.resume", key, lifecycle.resume, by)


def _change(
    context: CommandContext,
    door: str,
    key: str,
    change: Callable[[Work, str, str], Series],
    by: str | None,
) -> None:
    def changed(work: Work) -> dict[str, str]:
        change(work, key, operator_name(by))
        return {"series": key, "status": find_series(work, key).status}

    context.show(
        context.change(door, SeriesCall(series=key), changed, by),
        lambda answer: click.echo(f"{key} is {answer['status']}."),
    )


@series.command()
@click.argument("key")
@by_option
@in_organization
def stop(context: CommandContext, key: str, by: str | None) -> None:
    """Complete KEY for good; everybody in it leaves.

    Their exit reason is `manual`.
    """
    transact = context.transact("series.stop", SeriesCall(series=key), by)
    removed = stop_series(transact, key, operator_name(by))
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

    CONTACT is a user ID, or an email if it has none.
    """

    def removed(work: Work) -> dict[str, str]:
        [contact_id] = find_contacts(work, [contact])
        remove(work, contact_id, find_series(work, key))
        return {"series": key, "contact": contact, "exit_reason": "manual"}

    call = ContactCall(series=key, contact=contact)
    context.show(
        context.change("series.remove", call, removed),
        lambda _: click.echo(f"{contact} has left {key}."),
    )
