"""`halo failures`: mails that contacts did not get, and why."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import click

from halo_engine.answers.reports.failures import FailedMail, FailurePage, failures
from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import first_line, print_table, say_complete_since, shown_at
from halo_engine.domain.answer import PAGE
from halo_engine.series.lifecycle import find_series


@click.command(name="failures")
@click.argument("key")
@click.option("--after", type=click.IntRange(1, 2**63 - 1), help="Show the page after this number.")
@click.option("--size", type=click.IntRange(1, 1000), default=PAGE, show_default=True)
@in_organization
def failures_command(context: CommandContext, key: str, after: int | None, size: int) -> None:
    """List the mails of series KEY that were not sent, and why.

    The latest come first. `halo series retry-failed KEY` sends failed mails again.
    """
    found = context.ask(lambda work: failures(work, find_series(work, key), after=after, size=size))
    context.show(found, lambda page: _draw(page, context.zone))


def _draw(page: FailurePage, zone: ZoneInfo) -> None:
    if page.failures:
        draw_failures(page.failures, zone, whose=True)
    else:
        click.echo("everybody got their mails")
    if page.next is not None:
        click.echo(f"\nmore with --after {page.next}")
    say_complete_since("They", page.complete_since, zone)


def draw_failures(failed: Sequence[FailedMail], zone: ZoneInfo, *, whose: bool) -> None:
    """Print mails that were not sent; ``whose``: show the contact, else the series."""
    rows = [
        (
            each.contact if whose else each.series,
            each.step,
            each.email,
            shown_at(each.at, zone),
            first_line(f"{each.reason} ({each.kind})" if each.kind else each.reason),
        )
        for each in failed
    ]
    print_table(("contact" if whose else "series", "step", "email", "when", "why"), rows)
