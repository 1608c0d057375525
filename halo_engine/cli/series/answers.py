"""`halo series preview`, `diagnose`, `ledger`, `funnel`, and `halo explain`: answers to "why"."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import click

from halo_engine.answers.codes import ACTIVE
from halo_engine.answers.diagnose.diagnose import Diagnosis, diagnose
from halo_engine.answers.explain.explain import Explanation, explain
from halo_engine.answers.explain.position import Position
from halo_engine.answers.reports.funnel import Funnel, funnel
from halo_engine.answers.reports.ledger import Ledger, ledger
from halo_engine.answers.reports.preview import Preview, PreviewedContact, preview
from halo_engine.answers.said_filter import SaidFilter
from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.operations.failures import draw_failures
from halo_engine.cli.output import plain, print_facts, print_table, say_complete_since, shown_at
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.answer import PAGE
from halo_engine.domain.phrases import properties_in_short
from halo_engine.domain.series.definition import Series
from halo_engine.series.files.check import unsaved
from halo_engine.series.files.reading import series_of_file
from halo_engine.series.lifecycle import find_series
from halo_engine.work import Work

file_option = click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="Take the series from this file, as if it were saved.",
)


@click.command(name="preview")
@click.argument("key")
@file_option
@click.option("--after", type=click.UUID, help="Show the page after this contact's id.")
@click.option("--size", type=click.IntRange(1, 1000), default=PAGE, show_default=True)
@in_organization
def preview_command(
    context: CommandContext, key: str, file: Path | None, after: UUID | None, size: int
) -> None:
    """Show how many contacts match the audience of KEY now, and which."""
    answer = context.ask(
        lambda work: preview(work, _series(work, key, file), after=after, size=size)
    )
    context.show(answer, lambda found: _draw_preview(found, context.zone))


def _draw_preview(found: Preview, zone: ZoneInfo) -> None:
    click.echo(f"{found.matched} matched")
    if found.note:
        click.echo(plain(found.note))
    if found.contacts:
        click.echo()
        draw_contacts(found.contacts, found.next, zone)


def draw_contacts(
    contacts: Sequence[PreviewedContact], following: UUID | None, zone: ZoneInfo
) -> None:
    """Print a page of contacts, and the option for the next page."""
    print_table(
        ("contact", "email", "name", "type", "created"),
        [
            (
                each.external_id,
                each.email,
                each.name,
                each.contact_type,
                shown_at(each.created_at, zone),
            )
            for each in contacts
        ],
    )
    if following is not None:
        click.echo(f"\nmore with --after {following}")


@click.command(name="diagnose")
@click.argument("key")
@file_option
@in_organization
def diagnose_command(context: CommandContext, key: str, file: Path | None) -> None:
    """Say why the audience of KEY matches so few contacts.

    It counts the contacts that pass each filter, names stored values, and says what to do.
    """
    answer = context.ask(lambda work: diagnose(work, _series(work, key, file)))
    context.show(answer, _draw_diagnosis)


def _draw_diagnosis(found: Diagnosis) -> None:
    click.echo(f"{found.matched} of {found.eligible} eligible contacts match")
    if found.filters:
        click.echo()
        numbers = ("pass it alone", "match without it", "lack the value")
        print_table(
            ("filter", *numbers),
            [
                (
                    _in_short(each),
                    each.passes_alone,
                    each.matches_without,
                    each.missing,
                )
                for each in found.filters
            ],
            numbers=numbers,
        )
    if found.advice:
        click.echo()
    for advice in found.advice:
        click.echo(f"{click.style(f'[{advice.cause}]', fg='yellow')} {plain(advice.text)}")


@click.command(name="ledger")
@click.argument("key")
@in_organization
def ledger_command(context: CommandContext, key: str) -> None:
    """Count who matches KEY: those in it, and the others by reason."""
    found = context.ask(lambda work: ledger(work, find_series(work, key)))
    context.show(found, lambda answer: _draw_ledger(answer, context.zone))


def _draw_ledger(found: Ledger, zone: ZoneInfo) -> None:
    rows = [*found.buckets.items(), ("matched", found.matched)]
    print_table(("code", "contacts"), rows, numbers=["contacts"])
    if found.active_outside:
        click.echo(f"\n{found.active_outside} active that no longer match")
    if found.held_outside:
        click.echo(f"{found.held_outside} held in a surge that no longer match")
    if found.waiting_outside:
        click.echo(f"\n{found.waiting_outside} waiting for data that do not match yet")
    say_complete_since("Refusals and events", found.complete_since, zone)


@click.command(name="funnel")
@click.argument("key")
@click.option(
    "--version", type=click.IntRange(min=1), help="Count the runs that began in this one."
)
@in_organization
def funnel_command(context: CommandContext, key: str, version: int | None) -> None:
    """Show how far contacts came in KEY, step by step."""
    found = context.ask(lambda work: funnel(work, find_series(work, key), version))
    context.show(found, lambda answer: _draw_funnel(answer, version, context.zone))


def _draw_funnel(found: Funnel, version: int | None, zone: ZoneInfo) -> None:
    print_facts(
        {
            "enrolled": found.enrolled,
            "enrollments": found.enrollments,
            "in it now": found.active,
            **({"held by its surge": found.held} if found.held else {}),
            "converted": found.converted,
            **{f"ended: {reason}": number for reason, number in found.ended.items()},
            **{f"came back: {reason}": number for reason, number in found.bounces.items()},
        }
    )
    click.echo()
    by_people = ("sent", "failed", "unknown", "opened", "clicked", "replied")
    numbers = (*by_people, "machine opened", "machine clicked")
    print_table(
        ("step", "recipients", "skipped", *numbers),
        [
            (
                f"{each.step} (removed)" if each.removed else each.step,
                ", ".join(f"{number} {status}" for status, number in each.recipients.items()),
                ", ".join(f"{number} {reason}" for reason, number in each.skipped.items()),
                each.sent,
                each.failed,
                each.unknown,
                each.opened,
                each.clicked,
                each.replied,
                each.machine_opened,
                each.machine_clicked,
            )
            for each in found.steps
        ],
        numbers=numbers,
    )
    counted = "The recipients" if version is None else "The recipients and mails"
    say_complete_since(counted, found.complete_since, zone)


@click.command(name="explain")
@click.argument("contact")
@click.argument("key", metavar="SERIES")
@in_organization
def explain_command(context: CommandContext, contact: str, key: str) -> None:
    """Say why CONTACT is in SERIES, or why it is not.

    CONTACT is a user ID, or an email if it has none.
    """

    def explained(work: Work) -> Explanation:
        [answer] = explain(work, find_series(work, key), find_contacts(work, [contact]))
        return answer

    context.show(context.ask(explained), lambda answer: _draw_explanation(answer, context.zone))


def _draw_explanation(found: Explanation, zone: ZoneInfo) -> None:
    colour = "green" if found.position else "yellow"
    code = click.style(found.code, fg=colour)
    click.echo(f"{plain(found.contact)} and {found.series}: {code}")
    click.echo(plain(found.why))
    if found.change is not None:
        click.echo(plain(found.change))
    if found.once_active is not None:
        outlook = found.once_active
        code = click.style(outlook.code, fg="green" if outlook.code == ACTIVE else "yellow")
        change = f" {plain(outlook.change)}" if outlook.change else ""
        click.echo(f"Once it is active: {code}. {plain(outlook.why)}{change}")
    if found.position is not None:
        _draw_position(found.position, zone)
    if found.filters:
        click.echo()
        print_table(
            ("filter", "saw"),
            [(_in_short(each), plain(each.seen)) for each in found.filters],
        )
    say_complete_since("Refusals and events", found.complete_since, zone)
    if found.failed_mails:
        click.echo("\nmails that it did not get:")
        draw_failures(found.failed_mails, zone, whose=False)


def _draw_position(found: Position, zone: ZoneInfo) -> None:
    click.echo()
    said = found.event_properties
    print_facts(
        {
            "enrolled": f"{shown_at(found.enrolled_at, zone)} (number {found.number})",
            **({"its event said": properties_in_short(said)} if said else {}),
            "at step": f"{found.step}, since {shown_at(found.since, zone)} ({found.status})",
            "next": found.next,
            "at": shown_at(found.next_at, zone),
        }
    )


def _series(work: Work, key: str, file: Path | None) -> Series:
    """Return the saved series, or the one in the file."""
    if file is None:
        return find_series(work, key)
    return unsaved(work, key, series_of_file(file, key))


def _in_short(each: SaidFilter) -> str:
    value = "" if each.value is None else f" {plain(each.value)}"
    span = f" within {each.within}" if each.within else ""
    return f"{each.field} {each.operator}{value}{span}"
