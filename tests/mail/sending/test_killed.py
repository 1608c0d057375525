"""A worker process that is killed with SIGKILL, at every point between claim and outcome (§9)."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.mail.mail_server import MailServer, Manner, mail_server
from tests.mail.post_office import HELLO, PostOffice
from tests.mail.victim import Orders, start, tick

AT_MOST_ONCE, AT_LEAST_ONCE = "at_most_once", "at_least_once"
ADDRESSES = ("ann@a.example", "bob@a.example")

#: Of two emails in one batch: where the worker dies (a step of the server's talk, or a commit), the
#: email of which then nobody knows (None: there is none), and which of the two arrived by then.
POINTS: list[tuple[str | tuple[str, str, int], int | None, tuple[int, int]]] = [
    (("before", "lease", 1), None, (0, 0)),
    (("after", "lease", 1), None, (0, 0)),
    (("before", "intent", 1), None, (0, 0)),
    (("after", "intent", 1), 0, (0, 0)),
    ("greeting", 0, (0, 0)),
    ("EHLO", 0, (0, 0)),
    ("MAIL", 0, (0, 0)),
    ("RCPT", 0, (0, 0)),
    ("DATA", 0, (0, 0)),
    ("text", 0, (0, 0)),
    ("dot", 0, (1, 0)),
    ("accepted", 0, (1, 0)),
    (("before", "intent", 2), 0, (1, 0)),
    (("after", "intent", 2), 1, (1, 0)),
    (("before", "close", 1), 1, (1, 1)),
    (("after", "close", 1), None, (1, 1)),
]


@pytest.fixture(params=[False, True], ids=["step by step", "pipelining"])
def server(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    """A mail server; to one that takes several commands at once envelopes go ahead."""
    with mail_server(pipelining=request.param) as server:
        yield server


@pytest.mark.parametrize("guarantee", [AT_MOST_ONCE, AT_LEAST_ONCE])
@pytest.mark.parametrize(("point", "unknown", "arrived"), POINTS)
def test_wherever_a_worker_is_killed_the_guarantee_holds(
    office: PostOffice,
    server: MailServer,
    point: str | tuple[str, str, int],
    unknown: int | None,
    arrived: tuple[int, int],
    guarantee: str,
) -> None:
    """By the server's log only the email under way is lost or doubled, as the guarantee says."""
    series = office.series(HELLO, settings={"delivery_guarantee": guarantee})
    rows = office.enroll(series, office.contact("Ann"), office.contact("Bob"))

    def mark(pid: int) -> None:
        def kill() -> object:
            os.kill(pid, signal.SIGKILL)
            # What was sent of the text gets lost on the way: else all of it may have been.
            return Manner.DROP if point == "text" else None

        if isinstance(point, str):
            server.once[point].append(kill)

    dies_at = None if isinstance(point, str) else point
    assert start(_orders(office, server, dies_at), on_start=mark) == -signal.SIGKILL
    assert _arrived(server) == arrived

    office.let_leases_expire()
    tick(_orders(office, server), office.database)
    if unknown is not None and guarantee == AT_LEAST_ONCE:
        office.now += timedelta(minutes=1)
        tick(_orders(office, server), office.database)
    for place, row in enumerate(rows):
        lost = place == unknown and guarantee == AT_MOST_ONCE
        state = ("failed", "outcome_unknown") if lost else ("completed", None)
        assert office.row(row, "status", "reason") == state
        assert office.message(row, "state") == (("unknown",) if lost else ("sent",))
    once_more = [
        guarantee == AT_LEAST_ONCE if place == unknown else arrived[place] == 0 for place in (0, 1)
    ]
    assert _arrived(server) == tuple(map(sum, zip(arrived, once_more, strict=True)))
    assert len({key for key, _ in server.accepted}) == len(set(server.copies))


def test_a_worker_that_nobody_kills_passes_every_point(
    office: PostOffice, server: MailServer
) -> None:
    """A worker that is not killed passes every listed point of the SMTP dialogue."""
    office.enroll(office.series(HELLO), office.contact("Ann"))
    assert start(_orders(office, server)) == 0
    talk = [point for point, _, _ in POINTS if isinstance(point, str)]
    assert server.steps == talk
    assert _arrived(server) == (1, 0)


def _orders(
    office: PostOffice, server: MailServer, dies_at: tuple[str, str, int] | None = None
) -> Orders:
    url = office.database.url.render_as_string(hide_password=False)
    return Orders(url, office.org_id, server.client(), office.now, dies_at)


def _arrived(server: MailServer) -> tuple[int, ...]:
    return tuple(server.copies[address] for address in ADDRESSES)
