"""One cell dies, freezes, runs out of disk, or the directory or the broker go: nobody else
notices.

Real servers: a directory, two or four cells and a broker. It prints how long calls took before and
during each fault.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import click
import pytest
from sqlalchemy import Engine, text

from halo_engine.database import create_engine
from tests.cells.installation import Installation, Org, running_cells, wait_until
from tests.torture.cells.calls import knocking, next_user, p99
from tests.torture.cells.servers import Server, running_servers
from workers.broker.scripts import IN_HAND
from workers.connections import broker
from workers.queue_names import CALLS_QUEUE, queues_of
from workers.stack.folders import throwaway_folder
from workers.stack.valkey import start_valkey

pytestmark = pytest.mark.torture

#: What calls may take at the 99th percentile while another cell is in trouble.
_SLOWER: Final = 1.2
#: In seconds: a single turn of the scheduler is no slowness.
_NOISE: Final = 0.003


@pytest.fixture(scope="module", params=["ab", "abcd"], ids=["two cells", "four cells"])
def cells(request: pytest.FixtureRequest) -> str:
    """The names of the cells, a letter each; `b` is the one that gets into trouble."""
    return str(request.param)


@pytest.fixture(scope="module")
def servers_of(cells: str) -> Iterator[Mapping[str, Server]]:
    """A server for each cell and one for the directory."""
    with running_servers(["directory", *cells], on_small_disk="b") as servers:
        yield servers


@pytest.fixture(scope="module")
def broker_url() -> Iterator[str]:
    """A broker of its own, which is emptied."""
    with throwaway_folder("cells-broker") as folder:
        child, url = start_valkey(folder, durable=False)
        yield url
        child.stop()


@pytest.fixture(scope="module")
def installation(
    cells: str, servers_of: Mapping[str, Server], broker_url: str
) -> Iterator[Installation]:
    """An installation of the cells."""
    engines = {name: create_engine(server.url) for name, server in servers_of.items()}
    databases = {name: engines[name] for name in cells}
    with running_cells(engines["directory"], databases, broker_url) as running:
        yield running
    for each in engines.values():
        each.dispose()


@pytest.fixture(scope="module")
def orgs(cells: str, installation: Installation) -> Mapping[str, Org]:
    """An organisation in each cell, whose series greets new users."""
    made = {cell: installation.organization(cell) for cell in cells}
    for org in made.values():
        installation.greets(org)
    return made


def _ticks(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.scalar(text("SELECT ticks FROM installation")) or 0)


def _goes_on(installation: Installation, org: Org) -> None:
    """Wait for a tick, a task and a mail of an organisation's cell."""
    database = installation.databases[org.cell]
    before, user = _ticks(database), next_user("mail")
    address = f"{user}@{org.cell}.example"
    call = {"widget_key": org.widget_key, "user_id": user, "traits": {"email": address}}
    assert installation.task("halo.identify", **call)["created"] is True
    wait_until(lambda: _ticks(database) > before, f"{org.cell} ticks")
    wait_until(
        lambda: any(address in each for each in installation.mails(org.cell)),
        f"{address} got a mail",
    )


class Others:
    """The organisations of the cells that are in no trouble, and how long their calls took."""

    def __init__(self, installation: Installation, orgs: Mapping[str, Org]) -> None:
        self._installation = installation
        self._others = [org for cell, org in orgs.items() if cell != "b"]
        self._troubled = orgs["b"]
        p99(installation, self._others[0])
        self._before = self._taken()

    def _taken(self) -> Mapping[str, float]:
        with knocking(self._installation, self._troubled):
            return {org.cell: p99(self._installation, org) for org in self._others}

    def notice_nothing(self, what: str) -> None:
        """Call them during a fault, compare with before, and print both; tasks, ticks and mails
        go on too.
        """
        during = self._taken()
        for org in self._others:
            _goes_on(self._installation, org)
        for cell, before in self._before.items():
            figures = f"{before * 1000:.2f} ms before, {during[cell] * 1000:.2f} ms during"
            click.echo(f"\n{what}: p99 of {cell} {figures}")
        assert [
            cell
            for cell, before in self._before.items()
            if during[cell] > _SLOWER * before + _NOISE
        ] == []


def test_a_cell_in_trouble_touches_no_other(
    installation: Installation, orgs: Mapping[str, Org], servers_of: Mapping[str, Server]
) -> None:
    """While `b` is frozen, without room on its disk, and killed, calls, tasks, ticks and mails of
    the others go on as quickly; afterwards all of `b` is done that waited.
    """
    troubled = orgs["b"]
    _goes_on(installation, troubled)
    others = Others(installation, orgs)
    waiting = []

    def let_wait() -> None:
        for _ in range(5):
            call = {"widget_key": troubled.widget_key, "user_id": next_user("waits")}
            waiting.append(installation.app.send_task("halo.identify", kwargs=call))

    with servers_of["b"].frozen():
        let_wait()
        others.notice_nothing("frozen")
        ready = {cell: "away" if cell == "b" else "ok" for cell in orgs}
        wait_until(
            lambda: installation.web.ask("GET", "/readyz").json().get("cells") == ready,
            "the process is ready without it",
        )
    assert all(each.get(timeout=300)["created"] for each in waiting)
    _goes_on(installation, troubled)
    if servers_of["b"].has_disk:
        waiting.clear()
        with servers_of["b"].full():
            wait_until(
                lambda: installation.identify(troubled, next_user("full")).status == 503,
                "it is out of disk",
            )
            let_wait()
            others.notice_nothing("out of disk")
        assert all(each.get(timeout=300)["created"] for each in waiting)
        _goes_on(installation, troubled)
    else:
        click.echo("\nNo disk could be mounted here: a full one was not tried.")
    servers_of["b"].kill()
    others.notice_nothing("killed")
    assert installation.identify(troubled, "x").status == 503
    assert 'halo_database_up{cell="b"} 0.0' in installation.web.ask("GET", "/metrics").body.decode()


def test_without_the_directory_what_is_known_goes_on(
    installation: Installation, orgs: Mapping[str, Org], servers_of: Mapping[str, Server]
) -> None:
    """Frozen or killed, it is needed for nobody who is known; a stranger is told to come again."""
    before = p99(installation, orgs["a"])
    with servers_of["directory"].frozen():
        frozen = p99(installation, orgs["a"])
        _goes_on(installation, orgs["a"])
    servers_of["directory"].kill()
    killed = p99(installation, orgs["a"])
    figures = ", ".join(f"{each * 1000:.2f}" for each in (before, frozen, killed))
    click.echo(f"\nthe directory: p99 before, frozen, killed: {figures} ms")
    assert max(frozen, killed) <= _SLOWER * before + _NOISE
    _goes_on(installation, orgs["a"])
    answer = installation.web.post("/api/sdk/users/identify", "ab_live_x", {"user_id": "x"})
    assert answer.status == 503


def test_an_emptied_broker_loses_nothing_that_was_answered(
    installation: Installation, orgs: Mapping[str, Org], broker_url: str
) -> None:
    """What was taken over HTTP is done by the next ticks; workers go on."""
    client = broker(broker_url)
    users = [next_user("emptied") for _ in range(50)]
    for user in users:
        sent = installation.identify(orgs["a"], user, traits={"email": f"{user}@a.example"})
        assert sent.status == 200
        client.flushall()
    wait_until(
        lambda: (
            sum(
                any(f"{user}@a.example" in each for each in installation.mails("a"))
                for user in users
            )
            == len(users)
        ),
        "every user got a mail",
    )
    queues = [CALLS_QUEUE, *queues_of("a")]
    wait_until(lambda: not any(map(client.llen, queues)), "nothing waits")
    wait_until(lambda: client.hlen(IN_HAND) == 0, "nothing is in hand")
