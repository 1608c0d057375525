"""A million old events go in seconds, and callers notice nothing (contract §24)."""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles
from threading import Event

import click
import pytest
from sqlalchemy import Engine, text

from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.retention.months import months_of
from halo_engine.tables import events
from tests.pipeline.sandbox import Sandbox, new_sandbox
from tests.retention.years import DAY, keep, sweep, user

pytestmark = pytest.mark.torture

ROWS = 1_000_000
_CALLERS = 4
#: How long each pauses between two calls, in seconds: it is to notice nothing, not to take all.
_PAUSE = 0.02
_AT_ONCE = 50_000
_EVENTS = text(
    "INSERT INTO events (org_id, end_user_id, name, properties, happened_at, created_at, live) "
    "SELECT org_id, id, 'login', '{\"plan\": \"pro\"}', at, at, true FROM end_users, "
    "generate_series(CAST(:first AS int), :last) i, "
    "LATERAL (SELECT CAST(:since AS timestamptz) + i * interval '1 s') AS came (at) "
    "WHERE org_id = :org"
)


@pytest.fixture
def sandbox(database: Engine) -> Sandbox:
    """An organisation with a million events, all of one month, and none after it."""
    made = new_sandbox(database, "years")
    with database.connect() as connection:
        made.now = months_of(connection)[-1].upper
    made.engine.chores.tend_months()
    user(made, "ann")
    made.settle()
    for first in range(1, ROWS, _AT_ONCE):
        _write(made, first, first + _AT_ONCE - 1)
    made.now += 33 * DAY
    made.engine.chores.tend_months()
    return made


def _write(sandbox: Sandbox, first: int, last: int) -> None:
    values = {"org": sandbox.org_id, "since": sandbox.now, "first": first, "last": last}
    with sandbox.database.begin() as connection:
        connection.execute(_EVENTS, values)


def _calls(sandbox: Sandbox, over: Event, name: str) -> list[float]:
    """Identify one user after the other until it is over; return how long each call took."""
    took, number = [], 0
    while not over.wait(_PAUSE):
        number += 1
        call = IdentifyCall(user_id=f"{name}{number}", traits={"plan": "pro"})
        began = time.perf_counter()
        sandbox.perform(lambda work, call=call: identify(work, call))  # type: ignore[misc]
        took.append(time.perf_counter() - began)
    return took


def _beside(
    sandbox: Sandbox, name: str, seconds: float, action: object = None
) -> tuple[float, float]:
    """Let callers call for so long beside an action; return how long that took, and the calls'
    99th percentile.
    """
    over = Event()
    with ThreadPoolExecutor(_CALLERS) as pool:
        calls = [pool.submit(_calls, sandbox, over, f"{name}{n}") for n in range(_CALLERS)]
        time.sleep(seconds / 2)
        began = time.perf_counter()
        if callable(action):
            action()
        took = time.perf_counter() - began
        time.sleep(seconds / 2)
        over.set()
        times = [each for call in calls for each in call.result()]
    return took, quantiles(times, n=100)[98]


def test_a_month_of_a_million_events_goes_at_once(sandbox: Sandbox) -> None:
    """As a partition: in seconds, with callers beside it."""
    keep(sandbox, events="31d")
    _, alone = _beside(sandbox, "a", 6)
    sandbox.now += 40 * DAY
    took, beside = _beside(sandbox, "b", 6, lambda: _until_dropped(sandbox))
    click.echo(f"dropped in {took:.2f} s; p99 {alone * 1000:.1f} ms, beside {beside * 1000:.1f} ms")
    assert sandbox.count(events) == 0
    assert took < 30


def _until_dropped(sandbox: Sandbox) -> None:
    while sandbox.engine.chores.tend_months()[1] == []:
        pass


def test_a_million_events_go_page_by_page(sandbox: Sandbox) -> None:
    """Where another organisation keeps the month."""
    other = new_sandbox(sandbox.database, "keeps")
    keep(other, events="forever")
    other.now = sandbox.now - 32 * DAY
    user(other, "ann")
    _write(other, 1, 1)
    keep(sandbox, events="31d")
    _, alone = _beside(sandbox, "a", 6)
    sandbox.now += 40 * DAY
    took, beside = _beside(sandbox, "b", 6, lambda: sweep(sandbox, 5_000))
    click.echo(f"deleted in {took:.2f} s; p99 {alone * 1000:.1f} ms, beside {beside * 1000:.1f} ms")
    assert sandbox.count(events) == 0
    assert took < 300
