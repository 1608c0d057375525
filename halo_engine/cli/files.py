"""`halo series apply` and `check`: series in files, kept beside the code."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import ndiff
from pathlib import Path

import click
from pydantic import JsonValue

from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import plain
from halo_engine.series.apply import Applied, Result, apply_in_parts
from halo_engine.series.check import Checked, check_definitions
from halo_engine.series.differences import Change
from halo_engine.series.files import read_series_file
from halo_engine.series.warnings import SeriesWarning
from halo_engine.settings import load_settings

_COLOURS = {Result.CREATED: "green", Result.CHANGED: "yellow", Result.UNCHANGED: None}

file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.command()
@file_argument
@click.option("--dry-run", is_flag=True, help="Show the difference, and save nothing.")
@in_organization
def apply(context: CommandContext, file: Path, dry_run: bool) -> None:
    """Save the series in FILE, and show what is different.

    New ones become drafts. If one is refused, nothing is saved; what is the same is left alone.
    """
    definitions = read_series_file(file)
    tracks_opens = load_settings().tracking_url is not None
    applied: list[Applied] = []
    parts = apply_in_parts(context.perform, definitions, dry_run=dry_run, tracks_opens=tracks_opens)
    try:
        for part in parts:
            applied += part
    except BaseException:
        if applied and not dry_run:
            saved = f"{len(applied)} of {len(definitions)} series are saved"
            click.echo(f"{saved}, up to {applied[-1].series}; apply the file again", err=True)
        raise
    context.show(applied, lambda answer: _draw_applied(answer, dry_run=dry_run))


def _draw_applied(applied: Sequence[Applied], *, dry_run: bool) -> None:
    for each in applied:
        result = click.style(each.result, fg=_COLOURS[each.result])
        click.echo(f"{each.series}: {result} ({each.status})")
        for change in each.changes:
            _draw_change(change)
        _draw_warnings(each.warnings)
    counts = Counter(each.result for each in applied)
    summary = ", ".join(f"{counts[result]} {result}" for result in Result if counts[result])
    click.echo(f"{summary or 'no series'}{'; nothing was saved' if dry_run else ''}")


def _draw_change(change: Change) -> None:
    click.echo(f"  {change.field}")
    for line in _lines(change.before, change.after):
        click.echo(click.style(f"    {line}", fg="red" if line.startswith("-") else "green"))


def _lines(before: JsonValue, after: JsonValue) -> Iterator[str]:
    """Yield the line that goes and the line that comes; for longer texts, only the lines that
    differ.
    """
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

    And what is worth a warning: it may be activated, but will not do what you mean. Saves nothing.
    Exits 1 when something would be refused.
    """
    definitions = read_series_file(file)
    tracks_opens = load_settings().tracking_url is not None
    checked = context.ask(
        lambda work: check_definitions(work, definitions, tracks_opens=tracks_opens)
    )
    context.show(checked, _draw_checked)
    if any(each.refusals for each in checked):
        raise SystemExit(1)


def _draw_checked(checked: Sequence[Checked]) -> None:
    for each in checked:
        verdict = "refused" if each.refusals else "ok"
        click.echo(f"{each.series}: {click.style(verdict, fg='red' if each.refusals else 'green')}")
        for message in each.refusals:
            click.echo(f"  {message}")
        _draw_warnings(each.warnings)


def _draw_warnings(warnings: Sequence[SeriesWarning]) -> None:
    for each in warnings:
        word = click.style(f"warning [{each.code}]", fg="yellow")
        click.echo(f"  {word} {plain(each.place)}: {plain(each.message)}")
