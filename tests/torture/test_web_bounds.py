"""A web process under attack: thousands of connections, large bodies, a hanging database (§12). It
stays within its memory and answers other callers.
"""

import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from threading import Event, Thread
from time import monotonic

import click
import psutil
import pytest
from sqlalchemy import text

from halo_engine import migrate
from halo_engine.database import create_engine
from tests.web.conftest import Answer, Web, start  # noqa: F401 -- a fixture
from workers.stack.children import wait_until
from workers.stack.folders import throwaway_folder
from workers.stack.postgres import start_postgres
from workers.stack.processes import stack_environment, start_web
from workers.stack.servers import Servers

pytestmark = pytest.mark.torture

_IDLE = 10_000
#: At rest a process takes 137 MiB here (decision 56).
_MOST_MIB = 172
_IDENTIFY = "/api/sdk/users/identify"
Start = Callable[..., AbstractContextManager[Web]]


@contextmanager
def _watched(web: Web) -> Iterator[list[float]]:
    """Yield the memory that the process took, in MiB, look by look."""
    process, looks, over = psutil.Process(web.child.process.pid), list[float](), Event()

    def look() -> None:
        while not over.wait(0.05):
            looks.append(process.memory_info().rss / 2**20)

    thread = Thread(target=look)
    thread.start()
    yield looks
    over.set()
    thread.join()


def test_ten_thousand_idle_connections_hold_nobody_up(start: Start) -> None:  # noqa: F811
    """With more connections than may be open, new callers are answered and memory stays bounded."""
    _, most = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (most, most))
    with start() as web, ExitStack() as stack, _watched(web) as looks:
        key = str(web.organization().widget_key)
        for number in range(_IDLE):
            stack.enter_context(socket.create_connection(web.place, timeout=30))
            if number % 1_000 == 0:
                assert web.post(_IDENTIFY, key, {"user_id": f"u{number}"}).status == 200
        assert web.post(_IDENTIFY, key, {"user_id": "last"}).status == 200
    click.echo(f"{_IDLE} idle connections: at most {max(looks):.0f} MiB")
    assert max(looks) <= _MOST_MIB


@pytest.mark.parametrize(
    "large",
    ["x" * 1_000_000, [[]] * 260_000, [{}] * 260_000, {f"{n:x}": n for n in range(60_000)}],
    ids=["a text", "lists", "objects", "keys"],
)
def test_large_bodies_are_refused_beyond_a_bound(
    start: Start,  # noqa: F811
    large: object,
) -> None:
    """While nothing can be written, large bodies are refused and small calls wait; then these are
    done.
    """
    with start() as web, _watched(web) as looks, ThreadPoolExecutor(128) as pool:
        key = str(web.organization().widget_key)
        assert web.post(_IDENTIFY, key, {"user_id": "ann"}).status == 200
        with web.database.connect() as held, held.begin():
            held.execute(text("LOCK TABLE end_users IN ACCESS EXCLUSIVE MODE"))
            calls = [
                pool.submit(web.post, _IDENTIFY, key, {"user_id": f"u{n}", "traits": {"a": large}})
                for n in range(100)
            ]
            small = [pool.submit(web.post, _IDENTIFY, key, {"user_id": f"s{n}"}) for n in range(20)]
            # The others wait behind small ones.
            wait_until(web.child, lambda: _answered(calls) >= 80, "most are refused")
        statuses = Counter(each.result().status for each in calls)
        assert {each.result().status for each in small} == {200}
    click.echo(f"{statuses}: at most {max(looks):.0f} MiB")
    assert statuses.keys() <= {400, 413, 503}
    assert max(looks) <= _MOST_MIB


def _answered(calls: Sequence[Future[Answer]]) -> int:
    return sum(each.done() for each in calls)


def test_a_database_that_hangs_is_told_of_in_time(tmp_path: Path) -> None:
    """`/readyz` reports a hanging database within a second, a call within half a minute; afterwards
    the process goes on, and a stopped one ends.
    """
    with throwaway_folder("web-hangs") as folder:
        database, url = start_postgres(folder, durable=False)
        migrate.upgrade(url)
        servers = Servers(url, "redis://127.0.0.1:1/0")
        environment = stack_environment(servers, web_bind="127.0.0.1:0")
        child, address = start_web(folder, environment, log=tmp_path / "web.log")
        web = Web(address, child, create_engine(url, application_name="halo-test"), environment)
        key = str(web.organization().widget_key)
        assert web.post(_IDENTIFY, key, {"user_id": "ann"}).status == 200
        web.database.dispose()
        backends = psutil.Process(database.process.pid).children(recursive=True)
        frozen = [database.process.pid, *(each.pid for each in backends)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(8) as pool:
                began = monotonic()
                calls = [pool.submit(_timed, web, key, f"u{n}") for n in range(8)]
                for _ in range(5):
                    asked = monotonic()
                    assert web.ask("GET", "/readyz").status == 503
                    assert monotonic() - asked < 1.5
                    assert web.ask("GET", "/healthz").status == 200
                answers = [each.result() for each in calls]
            click.echo(f"calls: {Counter(answers)} after {monotonic() - began:.1f} s")
            assert set(answers) == {503}
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        wait_until(child, lambda: web.ask("GET", "/readyz").status == 200, "it is ready again")
        assert web.post(_IDENTIFY, key, {"user_id": "bob"}).status == 200
        web.database.dispose()
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            last = pool.submit(_timed, web, key, "cid")
            asked = monotonic()
            child.process.terminate()
            child.process.wait(timeout=60)
            click.echo(f"ended after {monotonic() - asked:.1f} s; its call: {last.result()}")
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        database.stop()


def _timed(web: Web, key: str, user: str) -> int:
    """Return the status of a call, which may take longer than others in tests; 0 for none."""
    with socket.create_connection(web.place, timeout=60) as connection:
        body = b'{"user_id": "%s"}' % user.encode()
        connection.sendall(
            b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
            % (_IDENTIFY.encode(), key.encode(), len(body), body)
        )
        return int(connection.recv(65536)[9:12] or b"0")
