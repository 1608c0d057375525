"""`halo sending`: stopping all mail, and starting it again."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar

import click
from sqlalchemy import Connection

from halo_engine.cli.context import json_option, refusing
from halo_engine.cli.installation import Installation
from halo_engine.cli.output import plain, print_json
from halo_engine.database import run_in_transaction
from halo_engine.delivery.stops import Sending, show_sending, start_sending, stop_sending
from halo_engine.domain.instants import format_instant
from halo_engine.engine import Engine
from halo_engine.pipeline.agenda import organizations_with_work

_Result = TypeVar("_Result")

_org_option = click.option(
    "--org",
    "org_key",
    metavar="KEY",
    help="One organisation's mail; everybody's unless given (HALO_ORG does not count).",
)


@click.group(name="sending")
def sending() -> None:
    """Stop all mail, start it again, see what holds it."""


def _of_somebody(command: Callable[..., Sending]) -> Callable[..., None]:
    """Give a command ``--org`` and ``--json``, pass the engine first, and show its result."""

    def run(
        installation: Installation, /, *, org_key: str | None, as_json: bool, **given: Any
    ) -> None:
        with refusing(as_json), installation.engine() as engine:
            found = command(engine, org_key, **given)
        if as_json:
            print_json(found)
        else:
            _draw(found, org_key)

    return _org_option(json_option(update_wrapper(click.pass_obj(run), command)))


@sending.command()
@click.option("--by", default="operator", show_default=True, help="Who stops it; is shown.")
@_of_somebody
def stop(engine: Engine, org_key: str | None, by: str) -> Sending:
    """Hold all mail, also of batches under way; nothing is lost."""
    return _perform(engine, lambda connection: stop_sending(connection, org_key, by))


@sending.command()
@_of_somebody
def start(engine: Engine, org_key: str | None) -> Sending:
    """Let mail go out again; a stop of another scope stays."""
    found = _perform(engine, lambda connection: start_sending(connection, org_key))
    for org_id in _perform(engine, organizations_with_work):
        engine.ring(org_id)
    return found


@sending.command()
@_of_somebody
def show(engine: Engine, org_key: str | None) -> Sending:
    """Say who stopped mail, and whether the server is down."""
    return _perform(engine, lambda connection: show_sending(connection, org_key))


def _perform(engine: Engine, action: Callable[[Connection], _Result]) -> _Result:
    return run_in_transaction(engine.database, action)


def _draw(found: Sending, org_key: str | None) -> None:
    for stop_ in found.stops:
        whose = "all mail" if stop_.org is None else f"the mail of {stop_.org}"
        click.echo(f"{whose} is stopped since {format_instant(stop_.since)} by {plain(stop_.by)}")
    if not found.stops:
        click.echo(f"nothing stops {'any mail' if org_key is None else f'the mail of {org_key}'}")
    if found.outage is not None:
        since = format_instant(found.outage.since)
        click.echo(f"the mail server is down since {since}: {plain(found.outage.reason)}")
