"""An organisation moves between cells whose workers, beats and web process are at work."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from tests.cells.installation import Installation, Org, running_cells, wait_until
from workers.connections import broker
from workers.stack.servers import Servers

pytestmark = pytest.mark.torture


@pytest.fixture
def installation(servers: Servers, new_database: Callable[[], Engine]) -> Iterator[Installation]:
    """Two cells, `a` and `b`, with the directory in `a`."""
    broker(servers.broker_url).flushdb()
    databases = {"a": new_database(), "b": new_database()}
    with running_cells(databases["a"], databases, servers.broker_url) as running:
        yield running


@contextmanager
def _called(installation: Installation, org: Org) -> Iterator[list[str]]:
    """Identify users meanwhile, over HTTP and by tasks in turn; yield those that were answered."""
    answered: list[str] = []
    troubles: list[str] = []
    over = threading.Event()

    def call() -> None:
        number = 0
        while not over.is_set():
            number += 1
            user = f"user-{number}"
            traits = {"email": f"{user}@a.example"}
            if number % 2:
                answer = installation.identify(org, user, traits=traits)
                if answer.status != 200:
                    troubles.append(f"{user}: {answer.status}")
                    continue
            else:
                installation.task(
                    "halo.identify", widget_key=org.widget_key, user_id=user, traits=traits
                )
            answered.append(user)

    calling = threading.Thread(target=call)
    calling.start()
    try:
        yield answered
    finally:
        over.set()
        calling.join()
    assert troubles == []


def test_calls_go_on_and_mail_goes_once_while_it_moves(installation: Installation) -> None:
    """Six moves to and fro: each call that was answered is there once, and each user got one
    mail.
    """
    org = installation.organization("a")
    installation.greets(org)
    with _called(installation, org) as answered:
        for turn in range(6):
            there = "ba"[turn % 2]
            before = len(answered)
            installation.halo("org", "move", org.key, "--to", there)
            wait_until(lambda before=before: len(answered) > before + 5, "calls go on")  # type: ignore[misc]
    assert Counter(installation.users("a", org)) == Counter(answered)
    assert installation.users("b", org) == []

    def mails() -> Counter[str]:
        every = [*installation.mails("a"), *installation.mails("b")]
        to = (line for each in every for line in each.splitlines() if line.startswith("To: "))
        return Counter(line.removeprefix("To: ").partition("@")[0] for line in to)

    wait_until(lambda: len(mails()) == len(answered), "everybody is greeted")
    assert mails() == Counter(answered)
