"""What an installation is watched by: numbers of all organisations together (contract §12)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from halo_engine.answers.operations.measures import backlog, totals
from halo_engine.pipeline.agenda import note_tick
from halo_engine.work import Work
from tests.answers.sandbox import BY_PLAN, Sandbox
from tests.contacts.sandbox import add_message, new_organization


@pytest.fixture(scope="module")
def alone(new_database: Callable[[], Engine]) -> Engine:
    """A database with no other tests' organisations."""
    return new_database()


def _peopled(work: Work) -> Sandbox:
    """Make an organisation with one of three in a series, and a mail that was sent."""
    sandbox = Sandbox(work)
    sandbox.pro("ann", "bob")
    sandbox.series(**BY_PLAN)
    sandbox.end("bob")
    add_message(work, sandbox.ids["ann"], sandbox.saved().id, "hello")
    return sandbox


def test_organisations_are_measured_together(alone: Engine) -> None:
    """The measures cover all organisations: what waits and for how long, and the count of each
    kind.
    """
    with alone.connect() as connection, connection.begin() as transaction:
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
        assert backlog(connection).tick_age is None
        note_tick(connection)
        for _ in range(2):
            work = new_organization(connection, an_hour_ago)
            _peopled(work).left("ann", "email")
        waiting, counted = backlog(connection), totals(connection)
        transaction.rollback()
    assert (waiting.signals, waiting.parked_signals, waiting.due_rows) == (2, 0, 2)
    for age in (waiting.signals_age, waiting.due_rows_age, waiting.pass_age):
        assert age is not None
        assert 3_600 <= age < 4_000
    assert waiting.tick_age is not None
    assert (waiting.ticks, waiting.parked_rows, waiting.is_mail_server_down) == (1, 0, False)
    assert (waiting.webhooks, waiting.endpoints_failing, waiting.endpoints_off) == (0, 0, 0)
    assert counted.enrollments == 4
    assert (counted.exits, counted.mails, counted.refusals) == ({"manual": 2}, {"sent": 2}, {})


def test_where_nothing_waits_there_is_no_age(alone: Engine) -> None:
    """An empty installation is all zeros."""
    with alone.connect() as connection:
        waiting, counted = backlog(connection), totals(connection)
    assert (waiting.signals, waiting.signals_age, waiting.due_rows_age) == (0, 0.0, 0.0)
    assert (counted.enrollments, counted.exits, counted.mails) == (0, {}, {})
