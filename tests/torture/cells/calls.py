"""How long calls of an organisation take, and callers who go on while its cell is in trouble."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from itertools import count
from json import dumps
from threading import Event, Thread
from time import perf_counter
from typing import Final

from tests.cells.installation import Installation, Org

_CALLS: Final = int(os.environ.get("HALO_TEST_CELL_CALLS", "2000"))
_ROUTE: Final = "/api/sdk/users/identify"
_numbers = count()


def next_user(kind: str) -> str:
    """Return the ID of a user that nobody has named before."""
    return f"{kind}-{next(_numbers)}"


def p99(installation: Installation, org: Org) -> float:
    """Return what the 99th percentile of calls took, in the quietest of three rounds: the machine
    does other things. In seconds.
    """
    return min(_p99_of_a_round(installation, org, _CALLS) for _ in range(3))


def _p99_of_a_round(installation: Installation, org: Org, calls: int) -> float:
    """Identify so many new users one after the other."""
    connection = HTTPConnection(*installation.web.place, timeout=120)
    took = []
    for _ in range(calls):
        began = perf_counter()
        connection.request("POST", _ROUTE, *_identifies(org, "user"))
        response = connection.getresponse()
        response.read()
        took.append(perf_counter() - began)
        assert response.status == 200
    connection.close()
    return sorted(took)[int(calls * 0.99)]


def _identifies(org: Org, kind: str) -> tuple[str, dict[str, str]]:
    """Return the body and the headers of a call for a new user."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {org.widget_key}"}
    return dumps({"user_id": next_user(kind)}), headers


@contextmanager
def knocking(installation: Installation, org: Org) -> Iterator[None]:
    """Go on calling for an organisation whose cell is in trouble, over a few connections."""
    ends = Event()

    def knock() -> None:
        while not ends.is_set():
            connection = HTTPConnection(*installation.web.place, timeout=2)
            try:
                connection.request("POST", _ROUTE, *_identifies(org, "knock"))
                connection.getresponse().read()
            except (OSError, HTTPException):
                pass
            finally:
                connection.close()
            ends.wait(0.02)

    callers = [Thread(target=knock, daemon=True) for _ in range(4)]
    for each in callers:
        each.start()
    try:
        yield
    finally:
        ends.set()
        for each in callers:
            each.join()
