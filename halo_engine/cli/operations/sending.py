"""`halo sending`: stopping all mail, and starting it again."""

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any, TypeVar

import click

from halo_engine.cells.installation import in_each
from halo_engine.cli.context import json_option, operator_name, refusing
from halo_engine.cli.installation import Installation
from halo_engine.cli.output import plain, print_json
from halo_engine.domain.times.instants import format_instant
from halo_engine.doors.calls import BareCall
from halo_engine.doors.table import DOORS
from halo_engine.engine import Engine
from halo_engine.mail.sending.stops import Sending
from halo_engine.operators.origin import Origin, Via
from halo_engine.work import OrgRef

_Result = TypeVar("_Result")

_org_option = click.option(
    "--org",
    "org_key",
    metavar="KEY",
    help="One organisation's mail; all mail if unset (HALO_ORG does not count).",
)


@click.group(name="sending")
def sending() -> None:
    """Stop all mail, start it again, show what holds it."""


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
    """Stop all mail, also of batches under way; nothing is lost."""
    return _use("sending.stop", engine, org_key, by)


@sending.command()
@_of_somebody
def start(engine: Engine, org_key: str | None) -> Sending:
    """Start mail again; a stop of another scope stays."""
    return _use("sending.start", engine, org_key)


@sending.command()
@_of_somebody
def show(engine: Engine, org_key: str | None) -> Sending:
    """Say who stopped mail, and whether the server is down."""
    return _use("sending.show", engine, org_key)


def _use(door: str, engine: Engine, org_key: str | None, by: str | None = None) -> Sending:
    org = None if org_key is None else OrgRef(key=org_key)
    origin = Origin(operator_name(by), Via.COMMAND)

    def use(part: Engine) -> Sending:
        held = DOORS[door].run(part, org, BareCall(), origin)
        assert isinstance(held, Sending)
        return held

    return use(engine) if org is not None else _together(in_each(engine, use))


def _together(found: Sequence[Sending]) -> Sending:
    """Return what holds mail in any cell, each stop of all mail once."""
    everywhere = [next((stop for stop in each.stops if stop.org is None), None) for each in found]
    all_mail = [stop for stop in everywhere if stop is not None][:1]
    its_own = [stop for each in found for stop in each.stops if stop.org is not None]
    outage = next((each.outage for each in found if each.outage is not None), None)
    return Sending(stops=(*all_mail, *its_own), outage=outage)


def _draw(found: Sending, org_key: str | None) -> None:
    for stop_ in found.stops:
        whose = "all mail" if stop_.org is None else f"the mail of {stop_.org}"
        click.echo(f"{whose} is stopped since {format_instant(stop_.since)} by {plain(stop_.by)}")
    if not found.stops:
        click.echo(f"nothing stops {'any mail' if org_key is None else f'the mail of {org_key}'}")
    if found.outage is not None:
        since = format_instant(found.outage.since)
        click.echo(f"the mail server is down since {since}: {plain(found.outage.reason)}")
