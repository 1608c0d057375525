"""`halo series plan`: what saving a file would do to whom."""

from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from halo_engine.answers.plans.counts import Fate, FatePart
from halo_engine.answers.plans.fate_names import FATE_OF, FateName
from halo_engine.answers.plans.pages import PlannedContacts
from halo_engine.answers.plans.plan import Plan, plan
from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import plain, print_table, shown_at
from halo_engine.cli.series.files import draw_changes, draw_warnings, file_argument
from halo_engine.domain.answer import PAGE, Answer
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.files.apply import ApplyResult
from halo_engine.series.files.reading import read_series_file
from halo_engine.series.files.tokens import plan_token

_REFUSED, _DIFFERS = 1, 2


class PlannedFile(Answer):
    """The plans of a file's series, and the token that saves all of them so."""

    token: str
    plans: tuple[Plan, ...]


@click.command(name="plan")
@file_argument
@click.option(
    "--reschedule",
    is_flag=True,
    help="Plan a save that gives rows at changed steps their new times.",
)
@click.option(
    "--fate",
    type=click.Choice([each.value for each in FateName]),
    help="List the contacts of this fate.",
)
@click.option("--after", type=click.IntRange(min=1), help="List those that follow this one.")
@click.option("--size", type=click.IntRange(1, 1000), default=PAGE, show_default=True)
@in_organization
def plan_command(
    context: CommandContext,
    file: Path,
    reschedule: bool,
    fate: str | None,
    after: int | None,
    size: int,
) -> None:
    """Say what saving FILE would do to whom is in its series.

    Saves nothing. Exits 0 if nothing differs, 2 if something does, 1 if a save would be refused.
    """
    definitions = read_series_file(file)
    chosen = None if fate is None else FateName(fate)

    def one(key: str, definition: SeriesDefinition) -> Plan:
        return context.ask(
            lambda work: plan(
                work,
                key,
                definition,
                reschedule=reschedule,
                fate=chosen,
                after=after,
                size=size,
            )
        )

    plans = tuple(one(key, definition) for key, definition in definitions.items())
    versions = {each.series: each.version for each in plans}
    token = plan_token(versions, definitions, reschedule=reschedule)
    with_option = " --reschedule" if reschedule else ""
    context.show(
        PlannedFile(token=token, plans=plans),
        lambda found: _draw(found, f"halo series apply {file}{with_option}", context.zone),
    )
    if any(each.refusals for each in plans):
        raise SystemExit(_REFUSED)
    if any(each.result is not ApplyResult.UNCHANGED for each in plans):
        raise SystemExit(_DIFFERS)


def _draw(found: PlannedFile, command: str, zone: ZoneInfo) -> None:
    for each in found.plans:
        _draw_plan(each, zone)
    click.echo(f"Save it so, or not at all: {command} --plan {found.token}")


def _draw_plan(found: Plan, zone: ZoneInfo) -> None:
    version = f", version {found.version}" if found.version else ""
    click.echo(f"{found.series}: {found.result} ({found.status}{version})")
    draw_changes(found.changes)
    for message in found.refusals:
        click.echo(f"  {click.style('refused', fg='red')}: {message}")
    draw_warnings(found.warnings)
    if found.active:
        click.echo(f"\n{found.active} in it")
        rows = [_row(fate, part, zone) for fate in found.fates for part in fate.parts]
        columns = ("contacts", "fate", "at step", "first due", "last due")
        print_table(columns, rows, numbers=["contacts"])
    _draw_outside(found)
    if found.surge_at_most is not None:
        click.echo(f"its surge takes at most {found.surge_at_most}")
    if found.page is not None:
        _draw_page(found.page, zone)
    click.echo()


def _row(fate: Fate, part: FatePart, zone: ZoneInfo) -> Sequence[object]:
    said = FATE_OF[fate.fate].short
    if part.exit_reason is not None:
        said = f"{said} ({part.exit_reason})"
    if part.to is not None:
        said = f"{said} to {part.to}"
    return part.contacts, said, part.step, shown_at(part.first, zone), shown_at(part.last, zone)


def _draw_outside(found: Plan) -> None:
    outside = found.outside
    match = f"{outside.matched_before} match now, {outside.matched_after} after it"
    enter = f"; {outside.would_enter} enter at the next re-evaluation"
    click.echo(f"\noutside: {match}{enter if outside.would_enter else ''}")


def _draw_page(page: PlannedContacts, zone: ZoneInfo) -> None:
    click.echo()
    print_table(
        ("contact", "email", "step", "due now", "due after it"),
        [
            (
                plain(each.external_id),
                each.email,
                each.step,
                shown_at(each.due_before, zone),
                shown_at(each.due_after, zone),
            )
            for each in page.items
        ],
    )
    if page.next is not None:
        click.echo(f"\nmore with --after {page.next}")
