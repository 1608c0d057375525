"""Watching the workers enroll a large audience (contract §8)."""

import sys
import time
from typing import Final
from zoneinfo import ZoneInfo

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from halo_engine.answers.operations.progress import Progress, activation_progress
from halo_engine.answers.plans.activation import Activation, foresee
from halo_engine.cli.context import CommandContext
from halo_engine.cli.output import first_line, progress_bar, shown_at
from halo_engine.series.lifecycle import find_series
from halo_engine.settings import load_settings

_POLL_SECONDS: Final = 0.25
#: A person is asked before more than so many enter.
_MANY: Final = 100


def ask_before_many(context: CommandContext, key: str) -> None:
    """Ask a person at a terminal whether more than a hundred contacts are meant; else go on."""
    if context.as_json or not sys.stdin.isatty():
        return
    rate = load_settings().mail_per_second
    foreseen = context.ask(lambda work: foresee(work, find_series(work, key), rate))
    if foreseen.enrolls > _MANY:
        draw_foreseen(foreseen, context.zone)
        click.confirm("Activate it?", abort=True)


def draw_foreseen(found: Activation, zone: ZoneInfo) -> None:
    """Print who enters, when their first mails go, and who is left out."""
    first = shown_at(found.first_mail_at, zone)
    click.echo(f"{found.enrolls} enter now{f'; the first mails go at {first}' if first else ''}")
    if found.takes_seconds:
        minutes = max(round(found.takes_seconds / 60), 1)
        click.echo(f"they take about {minutes} min at the rate that is set")
    for code, contacts in found.left_out.items():
        click.echo(f"{contacts} are left out: {code}")
    if found.surge_at_most is not None:
        click.echo(f"from then on its surge takes at most {found.surge_at_most}")


def watch_activation(context: CommandContext, key: str, wait: bool | None) -> None:
    """Show the result of activating ``key``; with ``wait``, once every contact was looked at.

    By default, only a person at a terminal waits. If no worker answers, nobody waits, and a hint is
    shown.
    """
    on_terminal = sys.stdout.isatty() and not context.as_json
    now = _look(context, key)
    if not now.done and (on_terminal if wait is None else wait):
        now = _watch(context, key, now) if context.installation.worker_answers() else now
    status = context.ask(lambda work: find_series(work, key).status)
    context.show(
        {"series": key, "status": status, "activation": now},
        lambda _: _draw(key, status, now),
    )


def _look(context: CommandContext, key: str) -> Progress:
    return context.ask(lambda work: activation_progress(work, find_series(work, key)))


def _watch(context: CommandContext, key: str, now: Progress) -> Progress:
    """Show a progress bar on standard error until it is done; Ctrl-C stops only the watching."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with progress_bar(*columns) as bar:
        task = bar.add_task("looking at contacts", total=now.contacts)
        try:
            while not now.done and now.parked is None:
                bar.update(task, completed=now.looked_at, total=now.contacts)
                time.sleep(_POLL_SECONDS)
                now = _look(context, key)
        except KeyboardInterrupt:
            pass
    return now


def _draw(key: str, status: str, now: Progress) -> None:
    click.echo(f"{key} is {status}; {now.enrolled} enrolled.")
    if now.parked is not None:
        said = first_line(now.parked)
        click.echo(f"The enrollment failed and was set aside: {said} (see `halo status`)")
    elif not now.done:
        click.echo(
            f"{now.looked_at} of {now.contacts} contacts were looked at; the workers go on. Where "
            "none runs, start one: `halo up`."
        )
