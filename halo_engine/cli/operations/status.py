"""`halo status`: what waits, since when, and what needs a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import click

from halo_engine.answers.operations.status import PATIENCE, SINCE, Status, status
from halo_engine.answers.operations.ticks import last_tick
from halo_engine.cells.engine import at_home
from halo_engine.cells.installation import try_each
from halo_engine.cli.context import json_option, org_option, refusing
from halo_engine.cli.installation import Installation
from halo_engine.cli.operations.calls_waiting import draw_calls
from halo_engine.cli.output import (
    first_line,
    plain,
    print_facts,
    print_json,
    say_complete_since,
    shown_at,
)
from halo_engine.domain.times.durations import format_duration, parse_duration
from halo_engine.domain.times.instants import format_instant
from halo_engine.engine import Engine
from halo_engine.organizations.storing import all_organizations
from halo_engine.settings import load_settings
from halo_engine.work import OrgRef, Work

UTC: Final = ZoneInfo("UTC")


def _duration(_context: click.Context, parameter: click.Parameter, value: str) -> timedelta:
    return parse_duration(value, f"--{parameter.name}")


@click.command(name="status")
@org_option
@click.option(
    "--patience",
    default=format_duration(PATIENCE),
    show_default=True,
    callback=_duration,
    help="Whatever waits longer needs a person.",
)
@click.option(
    "--since",
    default=format_duration(SINCE),
    show_default=True,
    callback=_duration,
    help="How far back mails that failed are counted.",
)
@json_option
@click.pass_obj
def status_command(
    installation: Installation,
    /,
    org_key: str | None,
    patience: timedelta,
    since: timedelta,
    as_json: bool,
) -> None:
    """Say what waits, and what needs a person.

    This is about the broker and every organisation, or one with --org. Exits 1 when something needs
    a person: a call that no worker takes, a tick or a re-evaluation that does not come, a signal or
    a row that no worker takes, a signal that was set aside, a mail that failed or may have failed,
    a mail server that is down. Mail that an operator stopped does not count.
    """
    key = org_key or load_settings().org

    def look(part: Engine) -> _Part:
        return _look(part, key, patience, since)

    with refusing(as_json), installation.engine() as engine:
        at = engine if key is None else at_home(engine, OrgRef(key=key))
        parts = try_each(at, look)
    answers = [each for each in parts.values() if each is not None]
    found = [each for part in answers for each in part.found]
    away = sorted(name for name, part in parts.items() if part is None)
    late = sorted(
        name for name, part in parts.items() if part is not None and part.is_late(patience)
    )
    ticked = min((part.ticked for part in answers if part.ticked is not None), default=None)
    calls = installation.calls()
    now = max((part.now for part in answers), default=datetime.now(UTC))
    calls_need = calls.needs(now, patience) if calls else []
    ok = not (late or away or calls_need or any(each.needs for each, _ in found))
    if as_json:
        at_ = None if ticked is None else format_instant(ticked)
        organizations = [each for each, _ in found]
        shown = {"ok": ok, "last_tick": at_, "calls": calls, "needs": calls_need}
        print_json({**shown, **_cells(parts, late), "organizations": organizations})
    else:
        click.echo(f"last tick: {shown_at(ticked, UTC) or 'none yet'}")
        for name in late:
            where = f"of the cell {name} " if name else ""
            click.echo(f"  → {where}longer than {format_duration(patience)} ago: no beat runs")
        for name in away:
            click.echo(f"cell {name}: {click.style('it does not answer', fg='red')}")
        for each, zone in found:
            _draw(each, zone)
        if calls:
            draw_calls(calls, calls_need)
    raise SystemExit(0 if ok else 1)


class _Part(NamedTuple):
    """What one database says: of each organisation, and when the last tick came there."""

    found: list[tuple[Status, ZoneInfo]]
    ticked: datetime | None
    now: datetime

    def is_late(self, patience: timedelta) -> bool:
        """Whether the last tick is longer ago than ``patience``."""
        return self.ticked is not None and self.now - self.ticked > patience


def _look(engine: Engine, key: str | None, patience: timedelta, since: timedelta) -> _Part:
    with engine.database.connect() as connection:
        keys = [key] if key else [each.key for each in all_organizations(connection)]
        ticked, now = last_tick(connection)
    return _Part([_ask(engine, each, patience, since) for each in keys], ticked, now)


def _cells(parts: Mapping[str, _Part | None], late: Sequence[str]) -> dict[str, Any]:
    """Return what JSON says of the cells, if there are any."""
    if "" in parts:
        return {}
    cells = [
        {"cell": name, "answers": part is not None, "tick_is_late": name in late}
        for name, part in parts.items()
    ]
    return {"cells": cells}


def _ask(
    engine: Engine, key: str, patience: timedelta, since: timedelta
) -> tuple[Status, ZoneInfo]:
    def asked(work: Work) -> tuple[Status, ZoneInfo]:
        return status(work, patience, since), work.org.zone

    return engine.ask(OrgRef(key=key), asked)


def _draw(found: Status, zone: ZoneInfo) -> None:
    verdict = click.style("needs a person", fg="red") if found.needs else "ok"
    click.echo(f"{found.org}: {verdict}")
    last = shown_at(found.last_reevaluation, zone)
    following = shown_at(found.reevaluation_due, zone) or "no series needs one"
    full = shown_at(found.last_full_pass, zone) or "none yet"
    mails = f"{found.failed_mails} failed, {found.unknown_mails} unknown"
    print_facts(
        {
            "signals waiting": _waiting(found.signals, found.oldest_signal, zone),
            "rows due": _waiting(found.due, found.oldest_due, zone),
            "mails held": _waiting(found.held, found.oldest_held, zone),
            "rows abandoned": found.abandoned,
            "re-evaluation": f"the last {last}, the next {following}",
            "of everybody": f"the last {full}",
            "signals set aside": found.parked,
            "rows set aside": found.parked_rows,
            "tried again": _waiting(found.retried, found.oldest_retried, zone),
            "mails": f"{mails} since {shown_at(found.since, zone)}",
        },
        indent=2,
    )
    say_complete_since("  Mails", found.complete_since, zone)
    for stop in found.stopped:
        whose = "all mail is" if stop.everywhere else "its mail is"
        click.echo(f"  {whose} stopped since {shown_at(stop.since, zone)} by {plain(stop.by)}")
    for why, count in found.stripe_passed_over.items():
        click.echo(f"  passed over of what Stripe sent: {count} ({why})")
    if found.waiting_calls:
        number = _waiting(found.waiting_calls, found.oldest_waiting_call, zone)
        click.echo(f"  clients' calls of unknown users: {number}")
    for need in found.needs:
        click.echo(f"  → {need}")
    for signal in found.parked_signals:
        failed_at = shown_at(signal.failed_at, zone)
        click.echo(f"  signal {signal.id} ({signal.kind}), {failed_at}: {first_line(signal.error)}")
    for row in found.rows_set_aside:
        where = f"{plain(row.contact)} at {row.series}, step {row.step}"
        failed_at = shown_at(row.failed_at, zone)
        click.echo(f"  row {row.id} ({where}), {failed_at}: {first_line(row.error)}")
    _draw_mail(found, zone)


def _draw_mail(found: Status, zone: ZoneInfo) -> None:
    for each in found.rising_bounces:
        latest = shown_at(each.latest, zone)
        click.echo(
            f"  {each.series}: {each.reports} came back, {each.before} in as long a time before, "
            f"latest {latest}: {each.reason}"
        )
    for trouble in found.mail_troubles:
        reason = first_line(trouble.reason or "nobody knows whether they were sent")
        latest = shown_at(trouble.latest, zone)
        click.echo(
            f"  {trouble.series}: {trouble.mails} {trouble.state}, latest {latest}: {reason}"
        )


def _waiting(number: int, oldest: datetime | None, zone: ZoneInfo) -> str:
    return f"{number}, the oldest since {shown_at(oldest, zone)}" if oldest else str(number)
