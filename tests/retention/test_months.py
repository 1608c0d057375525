"""Events of a month go together; months are made ahead, and an insert never fails (§24)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
from sqlalchemy import Engine, text

from halo_engine.answers.reports.timeline import timeline
from halo_engine.contacts.consent.erasure import erase
from halo_engine.contacts.finding import find_contacts
from halo_engine.retention.months import Month, Months, month_after, months_of
from halo_engine.tables import event_counts, events
from tests.pipeline.sandbox import Sandbox, new_sandbox
from tests.retention.years import DAY, fire, keep, sweep, user

MOMENT = timedelta(microseconds=1)


@pytest.fixture
def sandbox(database: Engine) -> Sandbox:
    """An organisation on a database of its own, at the end of a month that has a partition."""
    made = new_sandbox(database, "months")
    made.now = months(made)[-1].upper
    made.engine.chores.tend_months()
    made.now = month_after(made.now) - MOMENT
    return made


def name_of(instant: datetime) -> str:
    """Return the name of the partition of an instant's month."""
    return f"events_{instant:%Y_%m}"


def months(sandbox: Sandbox) -> list[Month]:
    """Return the partitions."""
    with sandbox.database.connect() as connection:
        return months_of(connection)


def held(sandbox: Sandbox) -> dict[str, int]:
    """Return how many events each partition holds, of those that hold any."""
    asked = text(
        "SELECT CAST(CAST(tableoid AS regclass) AS text) AS name, count(*) AS number "
        "FROM events GROUP BY 1"
    )
    with sandbox.database.connect() as connection:
        return {row.name: row.number for row in connection.execute(asked)}


def test_months_are_made_ahead_without_a_gap(sandbox: Sandbox) -> None:
    """Two at the least, also over the end of a year and in a leap year; each tick asks again."""
    year = sandbox.now.year + 4 - sandbox.now.year % 4
    for now in (datetime(year - 1, 12, 31, 23, tzinfo=UTC), datetime(year, 2, 29, tzinfo=UTC)):
        sandbox.now = now
        sandbox.engine.chores.tend_months()
        made = months(sandbox)
        assert [one.upper for one in made[:-1]] == [two.lower for two in made[1:]]
        assert all(one.is_one and one.upper.day == 1 for one in made[1:])
        assert made[-1].upper >= now + 62 * DAY
        assert sandbox.engine.chores.tend_months() == (0, [])


def test_an_event_is_in_the_month_in_which_it_came(sandbox: Sandbox) -> None:
    """At the last microsecond and at the first; when it happened says nothing."""
    user(sandbox, "ann")
    fire(sandbox, "ann", "login")
    sandbox.now += MOMENT
    fire(sandbox, "ann", "login", sandbox.now - 400 * DAY)
    assert held(sandbox) == {name_of(sandbox.now - MOMENT): 1, name_of(sandbox.now): 1}


def test_a_month_goes_as_a_whole_and_counts_stay(sandbox: Sandbox) -> None:
    """Once its last instant is older than events are kept, not before."""
    keep(sandbox, events="400d")
    user(sandbox, "ann")
    for _ in range(3):
        fire(sandbox, "ann", "login")
    sandbox.settle()
    name, end = name_of(sandbox.now), sandbox.now + MOMENT
    sandbox.now = end + 400 * DAY - MOMENT
    assert name not in sandbox.engine.chores.tend_months()[1]
    assert sweep(sandbox) == 0
    sandbox.now += MOMENT
    assert sandbox.engine.chores.tend_months()[1][0] == name
    assert held(sandbox) == {}
    assert sandbox.count(event_counts, event_counts.c.count == 3) == 1
    [ann] = sandbox.perform(lambda work: find_contacts(work, ["ann"]))
    told = sandbox.perform(lambda work: timeline(work, ann))
    assert told.complete_since == end


def test_a_month_stays_while_somebody_keeps_it_and_goes_page_by_page_for_the_others(
    sandbox: Sandbox,
) -> None:
    """Whoever keeps events longer keeps the month; their events alone are left in it."""
    other = new_sandbox(sandbox.database, "keeps-longer")
    other.now, name = sandbox.now, name_of(sandbox.now)
    keep(sandbox, events="100d")
    keep(other, events="200d")
    for each in (sandbox, other):
        user(each, "ann")
        fire(each, "ann", "login")
        each.settle()
    sandbox.now = other.now = sandbox.now + 101 * DAY
    sandbox.engine.chores.tend_months()
    assert held(sandbox) == {name: 2}
    assert (sweep(sandbox), sweep(other)) == (1, 0)
    assert (sandbox.count(events), other.count(events)) == (0, 1)
    sandbox.now += 100 * DAY
    assert name in sandbox.engine.chores.tend_months()[1]
    assert held(sandbox) == {}


def test_without_a_tick_for_three_months_events_gather_and_are_then_a_partition(
    sandbox: Sandbox,
) -> None:
    """No insert fails, nothing is lost, and the months after have partitions again."""
    user(sandbox, "ann")
    last = months(sandbox)[-1].upper
    for week in range(13):
        sandbox.now = last + week * 7 * DAY
        fire(sandbox, "ann", "login")
    assert held(sandbox) == {"events_default": 13}
    assert sandbox.engine.chores.tend_months()[0] == 1
    gathered = f"events_{last:%Y_%m}_on"
    assert held(sandbox) == {gathered: 13}
    assert months(sandbox)[-1].upper >= sandbox.now + 62 * DAY
    sandbox.now = months(sandbox)[-1].upper
    fire(sandbox, "ann", "login")
    assert held(sandbox) == {gathered: 13, "events_default": 1}
    sandbox.engine.chores.tend_months()
    assert sum(held(sandbox).values()) == 14
    assert "events_default" not in held(sandbox)


def drop_all(sandbox: Sandbox) -> None:
    """Drop every month, as ticks do that get the locks to drop, and not those to make."""
    for month in months(sandbox):
        assert Months(sandbox.database).drop(month, [])


def test_months_are_made_again_where_all_were_dropped(sandbox: Sandbox) -> None:
    """Beginning with the month of now."""
    drop_all(sandbox)
    made, dropped = sandbox.engine.chores.tend_months()
    assert (made, dropped) == (len(months(sandbox)), [])
    found = months(sandbox)
    assert found[0].lower == month_after(sandbox.now - 31 * DAY)
    assert [one.upper for one in found[:-1]] == [two.lower for two in found[1:]]
    assert found[-1].upper >= sandbox.now + 62 * DAY


def test_what_gathered_where_all_months_were_dropped_becomes_a_partition(sandbox: Sandbox) -> None:
    """From the month of the first event on."""
    drop_all(sandbox)
    user(sandbox, "ann")
    fire(sandbox, "ann", "login")
    first = sandbox.now
    sandbox.now += 40 * DAY
    fire(sandbox, "ann", "login")
    assert sandbox.engine.chores.tend_months() == (1, [])
    assert held(sandbox) == {f"events_{first:%Y_%m}_on": 2}
    assert months(sandbox)[-1].upper >= sandbox.now + 62 * DAY


def test_two_ticks_at_once_make_and_drop_each_month_once(sandbox: Sandbox) -> None:
    """One of them finds the other at it, and leaves it alone."""
    keep(sandbox, events="31d")
    user(sandbox, "ann")
    fire(sandbox, "ann", "login")
    sandbox.settle()
    sandbox.now = sandbox.now + 365 * DAY
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: sandbox.engine.chores.tend_months(), range(4)))
    names = [name for _, dropped in done for name in dropped]
    assert len(names) == len(set(names))
    # A tick gives up where it gets no lock in time, and the next one goes on.
    for _ in range(100):
        sandbox.engine.chores.tend_months()
        if not held(sandbox) and [m for m in months(sandbox) if m.upper >= sandbox.now + 62 * DAY]:
            break
    assert held(sandbox) == {}
    assert months(sandbox)[-1].upper >= sandbox.now + 62 * DAY


def test_a_change_of_months_waits_for_nobody(sandbox: Sandbox) -> None:
    """While a long transaction reads events, it gives up, and others write meanwhile."""
    user(sandbox, "ann")
    sandbox.now += 365 * DAY
    with sandbox.database.connect() as reader, reader.begin():
        reader.execute(text("SELECT FROM events"))
        began = monotonic()
        assert sandbox.engine.chores.tend_months()[0] == 0
        fire(sandbox, "ann", "login")
        assert monotonic() - began < 60
    assert sandbox.engine.chores.tend_months()[0] > 0
    assert sum(held(sandbox).values()) == 1


def test_an_erasure_reaches_all_months(sandbox: Sandbox) -> None:
    """Also the default partition, and only the contact's own events."""
    for name in ("ann", "bob"):
        user(sandbox, name)
    begin = sandbox.now
    for month in range(6):
        sandbox.now = begin + month * 31 * DAY
        for name in ("ann", "bob"):
            fire(sandbox, name, "login")
    assert len(held(sandbox)) > 2
    assert "events_default" in held(sandbox)
    [ann] = sandbox.perform(lambda work: find_contacts(work, ["ann"]))
    sandbox.perform(lambda work: erase(work, [ann]))
    assert sum(held(sandbox).values()) == sandbox.count(events) == 6


def test_events_from_before_all_months_are_a_partition_again(sandbox: Sandbox) -> None:
    """They come with an organisation that is moved here from another server."""
    keep(sandbox, events="31d")
    user(sandbox, "ann")
    now = sandbox.now
    sandbox.now += 40 * DAY
    sandbox.settle()
    sandbox.engine.chores.tend_months()
    first = months(sandbox)[0].lower
    assert first is not None
    sandbox.now = now - 400 * DAY
    fire(sandbox, "ann", "login")
    assert held(sandbox) == {"events_default": 1}
    sandbox.now = now + 40 * DAY
    assert sandbox.engine.chores.tend_months()[0] == 1
    assert held(sandbox) == {f"events_before_{first:%Y_%m}": 1}
