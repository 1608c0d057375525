"""`halo runs`: the story of a contact's runs in a series."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import click

from halo_engine.answers.explain.runs import Run, RunMail, RunStory, run_story
from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import plain, print_table, say_complete_since, shown_at
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.phrases import properties_in_short
from halo_engine.series.lifecycle import find_series
from halo_engine.work import Work


@click.command(name="runs")
@click.argument("contact")
@click.argument("key", metavar="SERIES")
@in_organization
def runs_command(context: CommandContext, contact: str, key: str) -> None:
    """Tell what happened to CONTACT in SERIES, decision by decision.

    Of a run before the latest only its mails are left: a re-enrollment deletes its rows.
    """

    def told(work: Work) -> RunStory:
        [contact_id] = find_contacts(work, [contact])
        return run_story(work, find_series(work, key), contact_id, contact)

    context.show(context.ask(told), lambda found: _draw(found, context.zone))


def _draw(found: RunStory, zone: ZoneInfo) -> None:
    if not found.runs:
        click.echo(f"{plain(found.contact)} was never in {found.series}.")
    for run in found.runs:
        version = f" in version {run.version}" if run.version else ""
        ended = f", ended {shown_at(run.ended_at, zone)}: {run.exit_reason}" if run.ended_at else ""
        click.echo(f"run {run.number}, began {shown_at(run.began_at, zone)}{version}{ended}")
        if run.event_properties:
            click.echo(f"its event said: {properties_in_short(run.event_properties)}")
        columns = ("step", "reached", "due", "decided", "what", "why", "mail")
        print_table(columns, list(_rows(run, zone)))
    say_complete_since("Their steps and mails", found.complete_since, zone)


def _rows(run: Run, zone: ZoneInfo) -> Iterator[Sequence[object]]:
    for each in run.steps:
        instants = (each.reached_at, each.due_at, each.decided_at)
        shown = [shown_at(instant, zone) for instant in instants]
        yield each.step, *shown, each.status, each.reason, _said(each.mail)


def _said(mail: RunMail | None) -> str | None:
    if mail is None:
        return None
    did = [name for name in ("opened", "clicked", "replied") if getattr(mail, f"{name}_at")]
    return ", ".join([mail.state, *did])
