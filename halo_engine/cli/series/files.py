"""`halo series apply` and `check`: series in files."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import ndiff
from pathlib import Path

import click
from pydantic import JsonValue

from halo_engine.cli.context import CommandContext, in_organization, operator_name
from halo_engine.cli.output import plain
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.domain.yaml_files.source import YamlSource
from halo_engine.doors.calls import ApplyCall
from halo_engine.operators.origin import Via
from halo_engine.series.checking.preflight import condition_faults
from halo_engine.series.checking.warnings import SeriesWarning
from halo_engine.series.files.apply import Applied, ApplyResult, Saving, apply_in_parts
from halo_engine.series.files.check import Checked, check_definitions
from halo_engine.series.files.differences import Change
from halo_engine.series.files.reading import read_series_file
from halo_engine.series.versions import Author
from halo_engine.settings import load_settings

_COLOURS = {
    ApplyResult.CREATED: "green",
    ApplyResult.CHANGED: "yellow",
    ApplyResult.UNCHANGED: None,
}

file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.command()
@file_argument
@click.option("--dry-run", is_flag=True, help="Show the difference, and save nothing.")
@click.option(
    "--reschedule",
    is_flag=True,
    help="Give rows at steps whose delay or window changes their new times.",
)
@click.option("--plan", "token", help="Save what the plan of this token said, or nothing.")
@in_organization
def apply(
    context: CommandContext, file: Path, dry_run: bool, reschedule: bool, token: str | None
) -> None:
    """Save the series in FILE, and show what is different.

    New ones become drafts, and those without a difference stay as they are. If one is refused,
    nothing is saved.
    """
    definitions = read_series_file(file)
    tracks_opens = load_settings().link_bases.tracking is not None
    applied: list[Applied] = []
    parts = apply_in_parts(
        context.transact("series.apply", ApplyCall(series={})),
        definitions,
        Saving(Author(operator_name(None), Via.COMMAND), reschedule, token),
        dry_run=dry_run,
        tracks_opens=tracks_opens,
        try_out=context.ask,
    )
    try:
        for part in parts:
            applied += part
    except BaseException:
        if applied and not dry_run:
            saved = f"{len(applied)} of {len(definitions)} series are saved"
            click.echo(f"{saved}, up to {applied[-1].series}; apply the file again", err=True)
        raise
    context.show(applied, lambda answer: draw_applied(answer, dry_run=dry_run))


def draw_applied(applied: Sequence[Applied], *, dry_run: bool = False) -> None:
    """Print what was saved, or would be."""
    for each in applied:
        result = click.style(each.result, fg=_COLOURS[each.result])
        click.echo(f"{each.series}: {result} ({each.status})")
        draw_changes(each.changes)
        if each.rescheduled is not None:
            click.echo(f"  {each.rescheduled} rescheduled")
        draw_warnings(each.warnings)
    counts = Counter(each.result for each in applied)
    summary = ", ".join(f"{counts[result]} {result}" for result in ApplyResult if counts[result])
    click.echo(f"{summary or 'no series'}{'; nothing was saved' if dry_run else ''}")


def draw_changes(changes: Sequence[Change]) -> None:
    """Print what differs, field by field."""
    for change in changes:
        click.echo(f"  {change.field}")
        for line in _lines(change.before, change.after):
            click.echo(click.style(f"    {line}", fg="red" if line.startswith("-") else "green"))


def _lines(before: JsonValue, after: JsonValue) -> Iterator[str]:
    """Yield the lines that are removed and added; of longer texts only those that differ."""
    if isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        for line in ndiff(before.splitlines(), after.splitlines()):
            if line.startswith(("- ", "+ ")):
                yield line[:2] + plain(line[2:])
        return
    for sign, value in (("-", before), ("+", after)):
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"{sign} {plain(text)}"


@click.command()
@file_argument
@in_organization
def check(context: CommandContext, file: Path) -> None:
    """Say what an activation of the series in FILE would refuse.

    It also warns of what can be activated, but will hardly do what you mean. Saves nothing. Exits 1
    when something would be refused.
    """
    definitions = read_series_file(file)
    tracks_opens = load_settings().link_bases.tracking is not None
    checked = context.ask(
        lambda work: check_definitions(work, definitions, tracks_opens=tracks_opens)
    )
    context.show(checked, lambda answer: _draw_checked(answer, _positions(file, definitions)))
    if any(each.refusals for each in checked):
        raise SystemExit(1)


def _positions(
    file: Path, definitions: Mapping[str, SeriesDefinition]
) -> dict[tuple[str, str], str]:
    """Return where in the file the unusable conditions are, by series and message."""
    source = YamlSource.read(file)
    return {
        (key, fault.problem): source.place(("series", key, *fault.path))
        for key, definition in definitions.items()
        for fault in condition_faults(definition.steps)
    }


def _draw_checked(checked: Sequence[Checked], positions: Mapping[tuple[str, str], str]) -> None:
    for each in checked:
        verdict = "refused" if each.refusals else "ok"
        click.echo(f"{each.series}: {click.style(verdict, fg='red' if each.refusals else 'green')}")
        for message in each.refusals:
            place = positions.get((each.series, message))
            click.echo(f"  {place}: {message}" if place else f"  {message}")
        draw_warnings(each.warnings)


def draw_warnings(warnings: Sequence[SeriesWarning]) -> None:
    """Print what is worth a look."""
    for each in warnings:
        word = click.style(f"warning [{each.code}]", fg="yellow")
        click.echo(f"  {word} {plain(each.place)}: {plain(each.message)}")
