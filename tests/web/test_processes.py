"""Serving processes share a port, stop without a loss, and outlive an outage (§12)."""

import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import count
from time import monotonic, sleep

import psutil
import pytest
from sqlalchemy import func, select, text

from halo_engine.tables import end_users
from tests.platform.commands import run_halo
from tests.web.conftest import PATIENCE_SECONDS, Web

PATH = "/api/sdk/users/identify"
Start = Callable[..., AbstractContextManager[Web]]


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    ends = monotonic() + PATIENCE_SECONDS
    while not holds():
        assert monotonic() < ends, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
        sleep(0.05)


def _users(web: Web) -> int:
    with web.database.connect() as connection:
        return connection.scalar(select(func.count()).select_from(end_users)) or 0


def test_a_taken_port_is_one_line_and_exit_1() -> None:
    """A taken port ends the command with one line that names the address and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        status, said = run_halo("web", HALO_WEB_BIND=bind, HALO_DATABASE_URL="postgresql://h/d")
    problem = f"HALO_WEB_BIND: {bind}: Address already in use; name another, or port 0"
    assert (status, said) == (1, f"Error: {problem}\n")


def test_a_stop_answers_what_was_accepted_and_refuses_the_rest(start: Start) -> None:
    """While a process stops, a call that waits for a lock is answered 200, and new ones 503."""
    with start() as web, ThreadPoolExecutor(1) as pool:
        org = web.organization()
        key = str(org.widget_key)
        assert web.post(PATH, key, {"user_id": "ann"}).status == 200
        with web.database.connect() as held, held.begin() as transaction:
            held.execute(text("SELECT FROM end_users WHERE external_id = 'ann' FOR UPDATE"))
            accepted = pool.submit(web.post, PATH, key, {"user_id": "ann", "traits": {"n": 1}})
            _wait_until(lambda: _is_waiting(web), "the call waits for the lock")
            os.kill(web.child.process.pid, signal.SIGTERM)
            _wait_until(lambda: _says_that_it_stops(web), "it says that it stops")
            refused = web.post(PATH, key, {"user_id": "bob"})
            assert (refused.status, refused.json()["code"]) == (503, "stopping")
            assert web.ask("GET", "/healthz").status == 200
            transaction.commit()
        assert accepted.result(timeout=PATIENCE_SECONDS).status == 200
        _wait_until(lambda: web.child.exited, "it ended")
        assert web.child.process.returncode == 0
        assert _users(web) == 1


def _says_that_it_stops(web: Web) -> bool:
    # Not ready it is also while the database answers slowly.
    answer = web.ask("GET", "/readyz")
    return answer.status == 503 and answer.json()["code"] == "stopping"


def _is_waiting(web: Web) -> bool:
    asked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'"
    )
    with web.database.connect() as connection:
        return bool(connection.scalar(asked))


def test_processes_share_the_port_and_one_that_is_killed_is_replaced(start: Start) -> None:
    """A killed process is replaced, and callers lose at most its open connections."""
    with start(web_processes=2) as web:
        org = web.organization()
        parent = psutil.Process(web.child.process.pid)
        _wait_until(lambda: len(parent.children()) == 2, "two processes serve")
        victim = parent.children()[0]
        victim.kill()
        for number in range(20):
            answer = web.post(PATH, str(org.widget_key), {"user_id": f"u{number}"})
            assert answer.status == 200
        _wait_until(
            lambda: len([each for each in parent.children() if each.pid != victim.pid]) == 2,
            "another one serves",
        )
        assert _users(web) == 20


def test_calls_at_the_same_moment_are_all_there_once(start: Start) -> None:
    """Of calls by many threads at once each 200 is one row."""
    with start() as web:
        org = web.organization()
        barrier = threading.Barrier(16)

        def call(number: int) -> list[bool]:
            barrier.wait(timeout=PATIENCE_SECONDS)
            created = []
            for turn in range(10):
                user = "everybody" if turn == 5 else f"u{number}-{turn}"
                traits = {"email": f"{user}@x.example", "turn": turn}
                answer = web.post(PATH, str(org.widget_key), {"user_id": user, "traits": traits})
                assert answer.status == 200, answer.body
                created.append(answer.json()["created"])
            return created

        with ThreadPoolExecutor(16) as pool:
            created = list(pool.map(call, range(16)))
        assert sum(each[5] for each in created) == 1
        assert all(each[:5] + each[6:] == [True] * 9 for each in created)
        assert _users(web) == 16 * 9 + 1


def test_while_the_database_is_away_calls_are_told_503(
    start: Start, administrate: Callable[[str], None]
) -> None:
    """While the database is away calls are 503 with Retry-After, /readyz fails, and afterwards all
    goes on.
    """
    with start() as web:
        org = web.organization()
        key, name = str(org.widget_key), web.database.url.database
        assert web.post(PATH, key, {"user_id": "ann"}).status == 200
        administrate(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        administrate(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND application_name = 'halo-web'"
        )
        answer = web.post(PATH, key, {"user_id": "bob"})
        assert (answer.status, answer.json()["code"]) == (503, "database_away")
        assert int(answer.headers["retry-after"]) >= 1
        assert web.ask("GET", "/readyz").status == 503
        administrate(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        _wait_until(lambda: web.ask("GET", "/readyz").status == 200, "it is ready again")
        assert web.post(PATH, key, {"user_id": "bob"}).status == 200


@pytest.mark.parametrize("wrong", [False, True])
def test_more_requests_than_the_rate_are_told_429(start: Start, wrong: bool) -> None:
    """Requests beyond the rate are 429; an application's, and those of wrong keys, count by
    address.
    """
    # One in ten seconds: the second comes sooner, unless this machine stands still.
    with start(web_rate=0.1) as web:
        org = web.organization()
        key = "ab_live_nobodys" if wrong else str(org.widget_key)
        addresses = count(1)

        def is_refused(**headers: str) -> bool:
            return web.post(PATH, key, {"user_id": "ann"}, **headers).status == 429

        def is_refused_elsewhere() -> bool:
            # Were it believed, each address would have a rate of its own.
            return is_refused(X_Forwarded_For=f"10.0.0.{next(addresses)}")

        first = web.post(PATH, key, {"user_id": "ann"})
        assert first.status == (401 if wrong else 200)
        _wait_until(is_refused, "it is refused")
        _wait_until(is_refused_elsewhere, "so it is from an address that nobody vouches for")


def test_no_rate_counts_whoever_follows_a_mails_link(start: Start) -> None:
    """Mailbox providers call for many people from few addresses."""
    with start(web_rate=0.1) as web:
        assert [web.ask("GET", "/o/x").status for _ in range(5)] == [200] * 5
        assert [web.ask("POST", "/u/x", b"").status for _ in range(5)] == [401] * 5


def test_a_proxy_that_is_trusted_tells_whose_request_it_is(start: Start) -> None:
    """Behind a trusted proxy each client has a rate of its own."""
    with start(web_rate=1, trusted_proxies="127.0.0.0/8") as web:
        org = web.organization()
        statuses = [
            web.post(
                PATH, str(org.widget_key), {"user_id": "ann"}, X_Forwarded_For=f"10.0.0.{number}"
            ).status
            for number in range(5)
        ]
        assert statuses == [200] * 5
