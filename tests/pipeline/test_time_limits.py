"""Work that exceeds the statement timeout is retried in halves until it succeeds (§1).

Nobody waits for a timeout: a trigger says that a statement would take longer than it may.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import OperationalError

from halo_engine.database import create_engine
from halo_engine.domain.series.signals import SignalKind
from halo_engine.pipeline import wide
from halo_engine.pipeline.reaction import Reaction
from halo_engine.pipeline.signals import inbox, parking
from halo_engine.series.locks import lock_series_for_change
from halo_engine.tables import automation_enrollments, signals
from halo_engine.work import Work
from tests.pipeline.sandbox import EMAIL, NOON, Sandbox
from tests.pipeline.test_passes import PRO, start_pass

#: What a statement may take.
LIMIT_SECONDS = 120.0
#: How many contacts one statement can enroll in time, where it is so.
MOST = 30

Slow = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def limited(sandbox: Sandbox, shared_database: Engine) -> Iterator[Sandbox]:
    """The sandbox, with little time for each statement."""
    url = shared_database.url.render_as_string(hide_password=False)
    database = create_engine(url, statement_timeout_seconds=LIMIT_SECONDS)
    yield replace(sandbox, database=database)
    database.dispose()


@pytest.fixture
def slow(shared_database: Engine) -> Slow:
    """Within the block, let statements that enroll more than ``most`` contacts take so many
    ``seconds``: they are cancelled if they may not.

    Series ‘quick’ is not concerned.
    """

    @contextmanager
    def slowed(most: int, seconds: float = 2 * LIMIT_SECONDS) -> Iterator[None]:
        with shared_database.begin() as connection:
            connection.execute(
                text(
                    "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                    "IF (SELECT count(*) FROM entered e JOIN automations a ON a.org_id = e.org_id "
                    f"AND a.id = e.automation_id WHERE a.key <> 'quick') > {most} "
                    f"AND current_setting('statement_timeout')::interval < '{seconds} s' "
                    "THEN RAISE 'canceling statement due to statement timeout' "
                    "USING ERRCODE = '57014'; END IF; RETURN NULL; END $$"
                )
            )
            connection.execute(
                text(
                    "CREATE TRIGGER dawdles AFTER INSERT ON automation_enrollments "
                    "REFERENCING NEW TABLE AS entered "
                    "FOR EACH STATEMENT EXECUTE FUNCTION dawdle()"
                )
            )
        try:
            yield
        finally:
            with shared_database.begin() as connection:
                connection.execute(text("DROP FUNCTION dawdle() CASCADE"))

    return slowed


def later(**definition: Any) -> dict[str, Any]:
    """Return a definition whose only email is a day away."""
    return {"steps": [{**EMAIL, "delay": "1d"}], **definition}


def sizes(sandbox: Sandbox) -> Iterator[int]:
    """Settle, and yield how many runs there are after each transaction with signals."""
    for each in sandbox.engine.settle(sandbox.org_id):
        if isinstance(each, Reaction):
            yield sandbox.count(automation_enrollments)


def attempts(sandbox: Sandbox) -> list[int]:
    """Return how often each waiting signal was halved."""
    return list(
        sandbox.perform(
            lambda work: work.connection.scalars(
                select(signals.c.attempts)
                .where(signals.c.org_id == work.org_id, signals.c.parked_at.is_(None))
                .order_by(signals.c.id)
            ).all()
        )
    )


def entered_once(sandbox: Sandbox) -> int:
    """Return how many contacts have a run, and see that nobody has two."""
    runs = automation_enrollments
    assert sandbox.count(runs) == sandbox.count(runs, runs.c.number == 1)
    return sandbox.perform(
        lambda work: work.connection.execute(
            select(func.count(runs.c.end_user_id.distinct())).where(runs.c.org_id == work.org_id)
        ).scalar_one()
    )


@pytest.mark.parametrize("series", [PRO, later(entry_trigger="manual")], ids=["pass", "activation"])
def test_a_page_that_takes_too_long_is_halved(
    limited: Sandbox, slow: Slow, monkeypatch: pytest.MonkeyPatch, series: dict[str, Any]
) -> None:
    """When only 30 contacts can be enrolled in time, the page is halved until it fits: everybody is
    enrolled once, and nothing is parked.
    """
    monkeypatch.setattr(wide, "PAGE", 64)
    if series is PRO:
        limited.series("all", **PRO)
        limited.settle()
    limited.contacts([f"u{number}" for number in range(50)], custom_fields={"plan": "pro"})
    if series is PRO:
        limited.now += timedelta(hours=1)
        start_pass(limited)
    else:
        limited.series("all", **series)
    with slow(MOST):
        limited.settle()
    assert entered_once(limited) == 50
    assert limited.count(signals) == 0


def test_the_statements_of_a_page_have_the_time_of_one(
    limited: Sandbox, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task has little more time than a statement, and would be cut off in each try: the page is
    halved before that.
    """
    monkeypatch.setattr(wide, "PAGE", 64)
    limited.contacts(f"u{number}" for number in range(40))
    limited.series("all", **later(entry_trigger="manual"))
    with slow(MOST, seconds=LIMIT_SECONDS / 2):
        assert list(islice(sizes(limited), 3)) == [0, 0, 16]
    limited.settle()
    assert entered_once(limited) == 40


def test_the_next_worker_goes_on_with_half(
    limited: Sandbox, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The halving is stored with the signal, since a task has no time for another try. When pages
    are quick again, each is twice as large as the one before.
    """
    monkeypatch.setattr(wide, "PAGE", 64)
    limited.contacts(f"u{number}" for number in range(200))
    limited.series("all", **later(entry_trigger="manual"))
    with slow(MOST):
        entered = [next(sizes(limited)) for _ in range(3)]
        assert entered == [0, 0, 16]
        assert attempts(limited) == [1]
    # The page of 16 was quick already.
    assert list(sizes(limited)) == [48, 112, 176, 200]


def test_a_slow_worker_does_no_page_twice(sandbox: Sandbox) -> None:
    """A worker that was too slow stores the halving, not its old cursor: no page is done twice."""
    sandbox.contacts(f"u{number}" for number in range(3))
    sandbox.series("all", **later(entry_trigger="manual"))
    begun = sandbox.perform(lambda work: inbox.next_signals(work, 1, beside_wide=False))
    place = {"created_at": NOON.isoformat(), "contact_id": str(sandbox.org_id)}
    sandbox.perform(lambda work: inbox.keep_cursor(work, begun[0], place, quick=True))
    sandbox.perform(lambda work: parking.note_too_much(work, begun, 1, "too long"))
    [signal] = sandbox.perform(lambda work: inbox.next_signals(work, 1, beside_wide=False))
    assert (signal.cursor, signal.attempts) == (place, 1)


def test_others_do_not_wait_for_the_next_try(limited: Sandbox, slow: Slow) -> None:
    """A later signal is handled while an activation's first page is still being halved."""
    limited.contacts(f"old{number}" for number in range(40))
    limited.series("all", **later(entry_trigger="manual"))
    limited.series("quick")
    limited.now += timedelta(minutes=1)
    limited.signal(limited.contacts(["new"]))
    with slow(MOST):
        settling = limited.engine.settle(limited.org_id)
        reactions = (each for each in settling if isinstance(each, Reaction))
        handled = [each.signals[0].kind for each in islice(reactions, 2)]
    assert handled == [SignalKind.ACTIVATED, SignalKind.CREATED]
    assert limited.count(automation_enrollments) == 1


def test_a_batch_that_takes_too_long_is_halved(limited: Sandbox, slow: Slow) -> None:
    """Signals of contacts are halved too: all are handled and none is parked. Those that were
    halved keep the smaller size.
    """
    limited.series("welcome", **later())
    limited.signal(limited.contacts(f"u{number}" for number in range(60)))
    with slow(MOST):
        entered = list(sizes(limited))
    # Of a thousand at most there were 60: a thirty-second part of a thousand is next.
    assert entered == [0, 0, 15, 30, 45, 60]
    assert entered_once(limited) == 60
    assert limited.count(signals) == 0


def test_what_takes_too_long_by_itself_is_parked_in_the_end(
    limited: Sandbox, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal that always times out is set aside with its error, and delays nobody any more."""
    monkeypatch.setattr(parking, "MOST_HALVINGS", 10)
    limited.series("quick")
    limited.series("pro", **{**PRO, "entry_trigger": "user_created"})
    [ann] = limited.contacts(["ann"], custom_fields={"plan": "pro"})
    limited.signal([ann, *limited.contacts(["bob", "cid"])])
    with slow(0):
        limited.settle()
    runs = automation_enrollments
    assert (limited.count(runs), limited.count(runs, runs.c.end_user_id == ann)) == (2, 0)
    [parked] = limited.perform(
        lambda work: work.connection.execute(
            select(signals.c.end_user_id, signals.c.attempts, signals.c.error).where(
                signals.c.org_id == work.org_id
            )
        ).all()
    )
    reason = "took too long: canceling statement due to statement timeout"
    assert parked == (ann, 10, reason)


def test_time_lost_waiting_is_no_signals_fault(sandbox: Sandbox) -> None:
    """A worker that waits too long for the series lock gives up and changes nothing."""
    sandbox.series("welcome", **later())
    sandbox.signal(sandbox.contacts(["ann"]))
    url = sandbox.database.url.render_as_string(hide_password=False)
    hasty = replace(sandbox, database=create_engine(url, statement_timeout_seconds=0.5))

    def changing(work: Work) -> None:
        lock_series_for_change(work)
        with pytest.raises(OperationalError, match="statement timeout"):
            hasty.settle()

    sandbox.perform(changing)
    hasty.database.dispose()
    assert attempts(sandbox) == [0]
    sandbox.settle()
    assert entered_once(sandbox) == 1
