"""`halo contacts update`: a file of users, as a backend's batches (contract §2)."""

from pathlib import Path
from typing import Final

import click

from halo_engine.cli.contacts.effects import draw_effects
from halo_engine.cli.contacts.imports import reading
from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import plain
from halo_engine.contacts.identifying.update_file import UpdateFileAnswer, update_file
from halo_engine.pipeline.batches.update_users import UpdateFileDryRun, try_update_file

_MOST_LINES_PRINTED: Final = 20


@click.command(name="update")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--update-only", is_flag=True, help="Skip users that are not known.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; write nothing.")
@in_organization
def update_command(context: CommandContext, file: Path, update_only: bool, dry_run: bool) -> None:
    """Create or change users of FILE, silently; some may leave series.

    Who no longer fits a series leaves it. FILE has one user a line, as JSON: {"user_id": "ann",
    "traits": {"plan": "pro"}}. Exits 1 when lines were left out.
    """
    answer: UpdateFileAnswer
    with reading(file):
        if dry_run:
            answer = tried = try_update_file(context.ask, file, update_only=update_only)
            context.show(tried, _draw_trial)
        else:
            answer = update_file(context.perform, file, update_only=update_only)
            context.show(answer, _draw)
    if answer.bad:
        raise SystemExit(1)


def _draw(answer: UpdateFileAnswer) -> None:
    click.echo(_counts(answer))
    _draw_faults(answer)


def _draw_trial(answer: UpdateFileDryRun) -> None:
    click.echo(f"would be: {_counts(answer)}")
    if answer.tried < answer.users:
        click.echo(f"  of {answer.users} users the first {answer.tried} were tried")
    draw_effects(answer)
    _draw_faults(answer)


def _counts(answer: UpdateFileAnswer) -> str:
    counts = f"{answer.created} created, {answer.updated} updated, {answer.skipped} skipped"
    return f"{counts}, {answer.bad} left out"


def _draw_faults(answer: UpdateFileAnswer) -> None:
    for line in answer.errors[:_MOST_LINES_PRINTED]:
        click.echo(f"  {plain(line.message)}")
    if answer.bad > _MOST_LINES_PRINTED:
        click.echo(f"  … and {answer.bad - _MOST_LINES_PRINTED} more; --json names up to 1,000")
    for warning in answer.warnings:
        click.echo(f"  {click.style('warning', fg='yellow')}: {warning}")
