"""`halo status`: what waits, since when, and what needs a person."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import click

from halo_engine.answers.operations.status import PATIENCE, SINCE, Status, status
from halo_engine.answers.operations.ticks import last_tick
from halo_engine.cli.context import json_option, org_option, refusing
from halo_engine.cli.installation import Installation
from halo_engine.cli.operations.calls_waiting import draw_calls
from halo_engine.cli.output import (
    first_line,
    plain,
    print_facts,
    print_json,
    shown_at,
)
from halo_engine.domain.times.durations import format_duration, parse_duration
from halo_engine.domain.times.instants import format_instant
from halo_engine.engine import Engine
from halo_engine.organizations import all_organizations
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
    with refusing(as_json), installation.engine() as engine:
        found = [_ask(engine, key, patience, since) for key in _keys(engine, org_key)]
        with engine.database.connect() as connection:
            ticked, now = last_tick(connection)
    is_late = ticked is not None and now - ticked > patience
    calls = installation.calls()
    calls_need = calls.needs(now, patience) if calls else []
    ok = not is_late and not calls_need and not any(each.needs for each, _ in found)
    if as_json:
        at = None if ticked is None else format_instant(ticked)
        organizations = [each for each, _ in found]
        shown = {"ok": ok, "last_tick": at, "calls": calls, "needs": calls_need}
        print_json({**shown, "organizations": organizations})
    else:
        click.echo(f"last tick: {shown_at(ticked, UTC) or 'none yet'}")
        if is_late:
            click.echo(f"  → longer than {format_duration(patience)} ago: no beat runs")
        for each, zone in found:
            _draw(each, zone)
        if calls:
            draw_calls(calls, calls_need)
    raise SystemExit(0 if ok else 1)


def _keys(engine: Engine, org_key: str | None) -> list[str]:
    named = org_key or load_settings().org
    if named is not None:
        return [named]
    with engine.database.connect() as connection:
        return [each.key for each in all_organizations(connection)]


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
    mails = f"{found.failed_mails} failed, {found.unknown_mails} unknown"
    print_facts(
        {
            "signals waiting": _waiting(found.signals, found.oldest_signal, zone),
            "rows due": _waiting(found.due, found.oldest_due, zone),
            "mails held": _waiting(found.held, found.oldest_held, zone),
            "rows abandoned": found.abandoned,
            "re-evaluation": f"the last {last}, the next {following}",
            "signals set aside": found.parked,
            "rows set aside": found.parked_rows,
            "tried again": _waiting(found.retried, found.oldest_retried, zone),
            "mails": f"{mails} since {shown_at(found.since, zone)}",
        },
        indent=2,
    )
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
