"""What a command works with: one organisation, chosen by ``--org``, and how to show an answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Engine as Database
from sqlalchemy import select

from halo_engine.cli.installation import Installation
from halo_engine.cli.output import print_json
from halo_engine.domain.errors import Refusal
from halo_engine.engine import Engine
from halo_engine.settings import load_settings
from halo_engine.tables import organizations
from halo_engine.work import Organization, OrgRef, Work

_Result = TypeVar("_Result")

#: How many keys a refusal lists.
_MOST_KEYS_NAMED = 10

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
org_option = click.option(
    "--org",
    "org_key",
    metavar="KEY",
    help="The organisation; HALO_ORG unless given, or the only one there is.",
)


@dataclass(frozen=True)
class CommandContext:
    """One command's organisation and engine, and whether it prints JSON."""

    installation: Installation
    engine: Engine
    org: Organization
    as_json: bool

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which instants are shown."""
        return self.org.zone

    def perform(self, action: Callable[[Work], _Result]) -> _Result:
        """Run a change in a transaction of its own, and ring for a worker."""
        return self.engine.perform(OrgRef(id=self.org.id), action)

    def ask(self, action: Callable[[Work], _Result]) -> _Result:
        """Run a query; no worker is rung for."""
        return self.engine.ask(OrgRef(id=self.org.id), action)

    def show(self, answer: _Result, draw: Callable[[_Result], object]) -> None:
        """Print an answer: as JSON where that was asked for, else as ``draw`` does."""
        if self.as_json:
            print_json(answer)
        else:
            draw(answer)


def in_organization(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--org`` and ``--json``, and its context as the first argument."""

    def run(installation: Installation, /, **given: Any) -> None:
        org_key, as_json = given.pop("org_key"), given.pop("as_json")
        with refusing(as_json), installation.engine() as engine:
            org = choose_organization(engine, org_key)
            command(CommandContext(installation, engine, org, as_json), **given)

    return org_option(json_option(update_wrapper(click.pass_obj(run), command)))


@contextmanager
def refusing(as_json: bool) -> Iterator[None]:
    """Print a refusal as JSON if asked for, as tasks do; exit 1 either way (§11)."""
    try:
        yield
    except Refusal as refusal:
        if not as_json:
            raise
        print_json({"refused": refusal.as_dict()})
        raise SystemExit(1) from None


def choose_organization(engine: Engine, key: str | None) -> Organization:
    """Return the organisation of that key; without one, HALO_ORG's, else the only one.

    Raises 404 if there is none, 400 if there are several to choose from.
    """
    key = key or load_settings().org or _only_key(engine.database)
    return engine.ask(OrgRef(key=key), lambda work: work.org)


def _only_key(database: Database) -> str:
    statement = select(organizations.c.key).order_by(organizations.c.key)
    with database.connect() as connection:
        keys = list(connection.scalars(statement.limit(_MOST_KEYS_NAMED + 1)))
    if not keys:
        problem = "There is no organisation yet; make one with `halo org create KEY`."
        raise Refusal(404, "no_organisation", problem)
    if len(keys) > 1:
        named = ", ".join([*keys[:_MOST_KEYS_NAMED], *("…" for _ in keys[_MOST_KEYS_NAMED:])])
        problem = f"org: there are several; name one by --org or HALO_ORG: {named}"
        raise Refusal(400, "ambiguous_organisation", problem)
    [key] = keys
    return str(key)
