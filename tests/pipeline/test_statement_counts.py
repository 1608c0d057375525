"""The number of statements depends neither on the number of contacts nor on that of series."""

from datetime import timedelta

import pytest

from halo_engine.pipeline.react import react
from halo_engine.tables import automation_enrollments, signals
from tests.pipeline.sandbox import Sandbox, counted_statements

SEGMENT = {
    "entry_trigger": "segment_match",
    "audience_type": "segment",
    "audience_filters": [{"field": "email", "operator": "contains", "value": "a.example"}],
}


def drained(sandbox: Sandbox, contacts: int, series: int) -> int:
    """Return how many statements it takes to handle one signal for each new contact."""
    for number in range(series):
        trigger = SEGMENT if number % 2 else {"entry_trigger": "user_created"}
        sandbox.series(f"s{number}", **trigger)
    sandbox.settle()
    sandbox.signal(sandbox.contacts(f"u{number}" for number in range(contacts)))
    with counted_statements(sandbox.database) as statements:
        reaction = sandbox.perform(lambda work: react(work, 500))
    assert reaction is not None
    assert len(reaction.signals) == contacts
    assert sandbox.count(signals) == 0
    assert sandbox.count(automation_enrollments) == contacts * series
    return len(statements)


@pytest.mark.parametrize(("contacts", "series"), [(1, 1), (1, 50), (500, 1), (500, 50)])
def test_draining_takes_the_same_statements(sandbox: Sandbox, contacts: int, series: int) -> None:
    """Signals are handled by eight statements, whether one with one series or 500 with 50.

    They are: the organisation, the turn at signals, the signals, the series lock, the series'
    versions, the runs of the contacts, the enrollments, the deletion of the signals.
    """
    assert drained(sandbox, contacts, series) == 8


@pytest.mark.parametrize(("contacts", "series"), [(1, 1), (60, 12)])
def test_advancing_takes_the_same_statements(sandbox: Sandbox, contacts: int, series: int) -> None:
    """Due rows of any number of contacts and series are advanced by the same statements."""
    gate = {"key": "gate", "condition": {"type": "user_property", "value": "email contains a."}}
    later = {"key": "later", "delay": "1d", "email": {"subject": "Later", "body": "Later"}}
    for number in range(series):
        sandbox.series(f"s{number}", steps=[{**gate, "delay": "1h"}, later])
    sandbox.signal(sandbox.contacts(f"u{number}" for number in range(contacts)))
    sandbox.settle()
    sandbox.now += timedelta(hours=1)
    with counted_statements(sandbox.database) as statements:
        [advanced] = sandbox.settle()
    assert sum(len(each.recipient_ids) for each in advanced.finished) == contacts * series
    assert len(statements) == 19
