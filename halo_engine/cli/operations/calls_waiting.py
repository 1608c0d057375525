"""How `halo status` shows the calls that wait in the broker."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import click

from halo_engine.answers.operations.calls import Calls
from halo_engine.cli.output import print_facts, shown_at

_UTC: Final = ZoneInfo("UTC")


def draw_calls(calls: Calls, needs: Sequence[str]) -> None:
    """Print a line for each queue, what is in hand and set aside, and what needs a person."""
    verdict = click.style("needs a person", fg="red") if needs else "ok"
    click.echo(f"calls: {verdict}")
    queues = {each.queue: _number(each.waiting, each.oldest, "sent") for each in calls.queues}
    held = _number(calls.in_hand, calls.oldest_in_hand, "taken")
    print_facts(
        {
            **queues,
            "in hand": f"{held}; {calls.redelivered} came again after a death",
            "set aside": f"{calls.set_aside}, {calls.set_aside_ever} ever",
        },
        indent=2,
    )
    for need in needs:
        click.echo(f"  → {need}")


def _number(number: int, oldest: datetime | None, since: str) -> str:
    at = shown_at(oldest, _UTC)
    return f"{number}, the oldest {since} {at}" if at else str(number)
