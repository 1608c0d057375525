"""A command's context: its organisation, chosen by ``--org``, and how it shows an answer."""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Select, select

from halo_engine.cells.engine import parts
from halo_engine.cli.installation import Installation
from halo_engine.cli.output import print_json
from halo_engine.contacts.calls import Call
from halo_engine.domain.errors import Refusal
from halo_engine.engine import Engine
from halo_engine.operators.origin import Origin, Via
from halo_engine.settings import load_settings
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations
from halo_engine.work import Organization, OrgRef, Transact, Work

_Result = TypeVar("_Result")

#: How many keys a refusal lists.
_MOST_KEYS_NAMED = 10

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
org_option = click.option(
    "--org",
    "org_key",
    metavar="KEY",
    help="The organisation; if unset HALO_ORG, else the only one there is.",
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
        """Continue a change that is already noted, in a transaction of its own."""
        return self.engine.perform(OrgRef(id=self.org.id), action)

    def change(
        self, door: str, call: Call, action: Callable[[Work], _Result], by: str | None = None
    ) -> _Result:
        """Run a change in a transaction of its own, and ring for a worker.

        The audit log notes it as a change by the ``door`` of that name, with this ``call``.
        """
        return self.transact(door, call, by)(action)

    def transact(self, door: str, call: Call, by: str | None = None) -> Transact:
        """Return a function that runs each of a flow's transactions as ``change`` does."""
        # Imported late: the table of doors imports the whole engine.
        from halo_engine.doors.table import DOORS  # noqa: PLC0415

        origin = Origin(operator_name(by), Via.COMMAND)
        engine = DOORS[door].noting(self.engine, call, origin)
        return partial(engine.perform, OrgRef(id=self.org.id))

    def ask(self, action: Callable[[Work], _Result]) -> _Result:
        """Run a query; the doorbell does not ring."""
        return self.engine.ask(OrgRef(id=self.org.id), action)

    def show(self, answer: _Result, draw: Callable[[_Result], object]) -> None:
        """Print an answer: as JSON if that was asked for, else as ``draw`` does."""
        if self.as_json:
            print_json(answer)
        else:
            draw(answer)


def operator_name(given: str | None) -> str:
    """Return who gives a command: the name given, else the user logged in."""
    try:
        return given or getpass.getuser()
    except (KeyError, OSError):
        return "operator"


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
    key = key or load_settings().org or _only_key(engine)
    return engine.ask(OrgRef(key=key), lambda work: work.org)


def _only_key(engine: Engine) -> str:
    keys: list[str] = []
    for each in parts(engine):
        with each.database.connect() as connection:
            keys += connection.scalars(_read_org_keys())
    keys.sort()
    if not keys:
        problem = "There is no organisation yet; make one with `halo org create KEY`."
        raise Refusal(404, "no_organisation", problem)
    if len(keys) > 1:
        named = ", ".join([*keys[:_MOST_KEYS_NAMED], *("…" for _ in keys[_MOST_KEYS_NAMED:])])
        problem = f"org: there are several; name one by --org or HALO_ORG: {named}"
        raise Refusal(400, "ambiguous_organisation", problem)
    [key] = keys
    return key


@statement("read_org_keys")
def _read_org_keys() -> Select[Any]:
    statement = select(organizations.c.key).order_by(organizations.c.key)
    return statement.limit(_MOST_KEYS_NAMED + 1)
