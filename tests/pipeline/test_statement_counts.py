"""The number of statements depends neither on the number of contacts nor on that of series."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from halo_engine.organizations.settings import ChangeOrganizationCall
from halo_engine.organizations.storing import change_organization
from halo_engine.pipeline.react import react
from halo_engine.tables import automation_enrollments, automation_recipients, end_users, signals
from halo_engine.work import Work
from tests.pipeline.sandbox import EMAIL, Sandbox, counted_statements

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


@pytest.mark.parametrize(("contacts", "series"), [(1, 1), (40, 6)])
def test_caps_and_zones_add_no_statement_to_due_rows(
    sandbox: Sandbox, contacts: int, series: int
) -> None:
    """Rows that are due go on by the same statements with caps, quiet hours and contacts' zones:
    what these ask is part of the facts (contract §20).
    """
    limits = {
        "frequency_caps": [{"at_most": 2, "within": "24h"}, {"at_most": 5, "within": "7d"}],
        "quiet_hours": {"from": "23:00", "to": "05:00", "timezone": "contact"},
        "verified_domain": True,
        "company_footer": "Acme",
    }
    call = ChangeOrganizationCall.model_validate(limits)
    sandbox.perform(lambda work: change_organization(work.connection, work.org.key, call))
    gate = {"key": "gate", "condition": {"type": "user_property", "value": "email contains a."}}
    later = {"key": "later", "delay": "1d", "email": {"subject": "Later", "body": "Later"}}
    for number in range(series):
        steps = [{**gate, "delay": "1h"}, {**later, "send_by": "6h"}]
        sandbox.series(f"s{number}", kind="marketing", steps=steps)
    sandbox.signal(sandbox.contacts(f"u{number}" for number in range(contacts)))
    sandbox.settle()
    sandbox.now += timedelta(hours=1)
    with counted_statements(sandbox.database) as statements:
        [advanced] = sandbox.settle()
    assert sum(len(each.recipient_ids) for each in advanced.finished) == contacts * series
    assert len(statements) == 19


ZONES = ("Asia/Tokyo", "America/New_York", "Asia/Calcutta", "Mars/Base", None)
WINDOW = {"days": ["mon", "tue"], "from": "09:00", "to": "10:00", "timezone": "contact"}


def people(sandbox: Sandbox, count: int) -> None:
    """Write contacts of several zones, each with a signal."""
    for zone in ZONES:
        names = [f"{zone}-{number}" for number in range(count)]
        sandbox.signal(sandbox.contacts(names, custom_fields={"timezone": zone}))


def test_zones_of_a_batch_cost_one_statement(sandbox: Sandbox) -> None:
    """Contacts of any number of zones enter by nine statements: one reads which zones there are,
    besides the eight of every batch.
    """
    sandbox.series("s", settings={"send_window": WINDOW})
    sandbox.settle()
    people(sandbox, 40)
    with counted_statements(sandbox.database) as statements:
        sandbox.perform(lambda work: react(work, 500))
    assert len(statements) == 9
    assert due_by_zone(sandbox) == {
        "Asia/Tokyo": [datetime(2026, 6, 2, 0, tzinfo=UTC)] * 40,
        "America/New_York": [datetime(2026, 6, 1, 13, tzinfo=UTC)] * 40,
        "Asia/Calcutta": [datetime(2026, 6, 2, 3, 30, tzinfo=UTC)] * 40,
        "Mars/Base": [datetime(2026, 6, 2, 9, tzinfo=UTC)] * 40,
        None: [datetime(2026, 6, 2, 9, tzinfo=UTC)] * 40,
    }


def test_quiet_hours_of_one_clock_cost_no_statement(sandbox: Sandbox) -> None:
    """Where neither window nor quiet hours ask for contacts' zones, nobody reads them."""
    sandbox.perform(
        lambda work: change_organization(
            work.connection,
            work.org.key,
            ChangeOrganizationCall.model_validate(
                {
                    "verified_domain": True,
                    "company_footer": "Acme",
                    "quiet_hours": {"from": "10:00", "to": "15:00"},
                }
            ),
        )
    )
    sandbox.series("s", kind="marketing", steps=[EMAIL])
    sandbox.settle()
    people(sandbox, 2)
    with counted_statements(sandbox.database) as statements:
        sandbox.perform(lambda work: react(work, 500))
    assert len(statements) == 8
    assert {each for found in due_by_zone(sandbox).values() for each in found} == {
        datetime(2026, 6, 1, 15, tzinfo=UTC)
    }


def due_by_zone(sandbox: Sandbox) -> dict[str | None, list[Any]]:
    """Return when the rows of contacts of each zone are due."""
    rows, contacts = automation_recipients, end_users

    def read(work: Work) -> dict[str | None, list[Any]]:
        zone = contacts.c.custom_fields["timezone"].astext
        found: dict[str | None, list[Any]] = {}
        asked = select(zone, rows.c.scheduled_for).join(
            contacts, contacts.c.id == rows.c.end_user_id
        )
        for name, due in work.connection.execute(asked.where(rows.c.org_id == work.org_id)):
            found.setdefault(name, []).append(due)
        return found

    return sandbox.perform(read)
