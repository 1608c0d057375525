"""`halo sql`: the statements that halo sends to PostgreSQL, and their plans."""

from pathlib import Path

import click

from halo_engine.cells.engine import at_home, parts
from halo_engine.cli.context import choose_organization, refusing
from halo_engine.cli.installation import Installation
from halo_engine.cli.output import print_json, print_table
from halo_engine.cli.statements.plans import plan as plan_of
from halo_engine.cli.statements.shown import Shown, all_shown, show
from halo_engine.domain.series.definition import Series
from halo_engine.series.lifecycle import find_series
from halo_engine.work import OrgRef

from . import doctor, zones

#: The modules outside the engine that declare statements; importing them is enough.
_DECLARING = (doctor, zones)

_name = click.argument("name")


@click.group()
def sql() -> None:
    """Show the statements that halo sends to PostgreSQL.

    Each is sent with its name as a comment, such as /* halo:claim_due_rows */, by which you find it
    in the server's log, in pg_stat_activity and in pg_stat_statements.
    """


@sql.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def list_command(as_json: bool) -> None:
    """List the names of all statements, and where each is declared."""
    rows = [(each.name, each.verb, each.declared_in) for each in all_shown()]
    if as_json:
        print_json([dict(zip(("name", "verb", "declared_in"), row, strict=True)) for row in rows])
        return
    print_table(("name", "begins", "declared in"), rows)


@sql.command(name="show")
@_name
def show_command(name: str) -> None:
    """Print the statement NAME, with its parameters by name.

    Statements that depend on a series are shown for an example.
    """
    click.echo(show(name).formatted(), nl=False)


@sql.command(name="plan")
@_name
@click.option("--org", "org_key", metavar="KEY", help="Give org_id: the organisation's.")
@click.option(
    "--series",
    "series_key",
    metavar="KEY",
    help="Use this series instead of the example; needs --org.",
)
@click.option(
    "--param", "params", metavar="NAME=VALUE", multiple=True, help="Give another parameter."
)
@click.pass_obj
def plan_command(
    installation: Installation,
    name: str,
    org_key: str | None,
    series_key: str | None,
    params: tuple[str, ...],
) -> None:
    """Print PostgreSQL's plan of the statement NAME; it is not executed.

    Unless all its parameters are given, this is the plan for any values (the generic plan).
    """
    given = dict(map(_pair, params))
    series: Series | None = None
    with refusing(as_json=False), installation.engine() as engine:
        statement = show(name)
        [at, *_] = parts(engine)
        if org_key is not None:
            org = choose_organization(engine, org_key)
            at = at_home(engine, OrgRef(id=org.id))
            if "org_id" in statement.parameters:
                given.setdefault("org_id", str(org.id))
            if series_key is not None:
                series = engine.ask(OrgRef(id=org.id), lambda work: find_series(work, series_key))
                statement = show(name, series)
        elif series_key is not None:
            raise click.UsageError("--series needs --org")
        with at.database.connect() as connection:
            click.echo("\n".join(plan_of(connection, statement, given)))


def _pair(param: str) -> tuple[str, str]:
    name, is_given, value = param.partition("=")
    if not is_given:
        raise click.UsageError(f"--param {param}: allowed is NAME=VALUE")
    return name, value


@sql.command(name="write")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def write_command(folder: Path) -> None:
    """Write all statements into FOLDER, a file each.

    Files of other statements in it are removed.
    """
    statements = all_shown()
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.sql"):
        path.unlink()
    for each in statements:
        _path(folder, each).write_text(each.formatted(), encoding="utf-8")
    click.echo(f"{len(statements)} written to {folder}")


def _path(folder: Path, statement: Shown) -> Path:
    return folder / f"{statement.name}.sql"
