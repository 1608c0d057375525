"""A failing due row, email or lease stops no other, as with signals (contract §5, §9)."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, text, update

from halo_engine.database import create_engine
from halo_engine.mail.composing import message, values
from halo_engine.mail.transports.transports import Mail
from halo_engine.pipeline.advance import advance
from halo_engine.pipeline.isolate import PROBES
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
)
from halo_engine.tables.enrollments import IS_ACTIVE, IS_PROCESSING
from halo_engine.work import Work
from tests.pipeline.faults import (
    MINUTE,
    ROWS,
    enrolled,
    id_of,
    parked_rows,
    refusing,
)
from tests.pipeline.sandbox import EMAIL, Sandbox


def due(sandbox: Sandbox, contacts: int, *keys: str) -> list[UUID]:
    """Enroll contacts whose first email is due in these series now."""
    for key in keys:
        sandbox.series(key, steps=[{**EMAIL, "delay": "1h"}])
    entered = sandbox.contacts(f"u{number}" for number in range(contacts))
    sandbox.signal(entered)
    sandbox.settle()
    sandbox.now += timedelta(hours=1)
    return entered


def refusing_leases(sandbox: Sandbox, condition: str = "true") -> AbstractContextManager[None]:
    """Within the block, fail every lease of a row for which ``condition`` holds."""
    return refusing(
        sandbox.database, ROWS, f"NEW.lease_token IS NOT NULL AND {condition}", "UPDATE"
    )


def test_a_poisonous_row_stands_alone(sandbox: Sandbox) -> None:
    """All other due rows are handled and sent in the same turn. The failing one stays active and is
    retried; when the cause is mended it is sent, and keeps the time at which it was due.
    """
    contacts, due_at = due(sandbox, 40, "one"), sandbox.now
    with refusing_leases(sandbox, f"NEW.end_user_id = '{contacts[11]}'"):
        sandbox.settle()
        assert len(sandbox.transport.sent) == 39
        assert parked_rows(sandbox) == [(contacts[11], 1, True, f"RaiseException: no {ROWS}")]
        assert sandbox.count(automation_recipients, IS_ACTIVE) == 1
        sandbox.now += MINUTE
        sandbox.settle()
    sandbox.now += MINUTE
    sandbox.settle()
    assert len(sandbox.transport.sent) == 40
    assert enrolled(sandbox, automation_enrollments.c.ended_at.is_(None)) == 0
    assert (
        sandbox.count(automation_recipients, automation_recipients.c.scheduled_for == due_at) == 40
    )


def test_a_row_is_set_aside_after_five_tries_over_five_minutes(sandbox: Sandbox) -> None:
    """After the fifth try the row is not retried any more, and is still active."""
    [bad] = due(sandbox, 1, "one")
    waited = []
    with refusing_leases(sandbox, f"NEW.end_user_id = '{bad}'"):
        for minute in range(8):
            due_too = sandbox.contacts([f"due{minute}"])
            sandbox.now -= timedelta(hours=1)
            sandbox.signal(due_too)
            sandbox.now += timedelta(hours=1)
            sandbox.settle()
            [(_, tries, waits, _)] = parked_rows(sandbox)
            waited.append((tries, waits))
            sandbox.now += MINUTE
    assert waited == [(n, True) for n in range(1, 6)] + [(6, False)] * 3
    assert len(sandbox.transport.sent) == 8
    assert sandbox.count(automation_recipients, IS_ACTIVE) == 1


def test_a_poisonous_series_holds_up_no_other_series_rows(sandbox: Sandbox) -> None:
    """However many of its rows are due: each try touches a few of them, and none is lost."""
    due(sandbox, 30, "bad", "good")
    bad = id_of(sandbox, "bad")
    with refusing_leases(sandbox, f"NEW.automation_id = '{bad}'"):
        sandbox.settle()
    assert len(sandbox.transport.sent) == 30
    assert len(parked_rows(sandbox)) == PROBES
    sandbox.now += MINUTE
    sandbox.settle()
    assert len(sandbox.transport.sent) == 60


def test_rows_that_all_fail_are_nobodys_fault(sandbox: Sandbox) -> None:
    """No try counts, and all are sent when the fault is over."""
    due(sandbox, 30, "one", "two")
    with refusing_leases(sandbox):
        for _ in range(8):
            sandbox.settle()
            sandbox.now += MINUTE
    assert {each.tries for each in parked_rows(sandbox)} == {0}
    sandbox.settle()
    assert len(sandbox.transport.sent) == 60


def test_an_email_that_cannot_be_written_holds_up_no_other(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row of such an email is parked without sending, and is sent once it can be written."""
    contacts = due(sandbox, 10, "one")
    write = message.write_mail

    def failing(*args: Any, to: str, **kwargs: Any) -> Mail:
        if to == "u4@a.example":
            raise RecursionError("too deep")
        return write(*args, to=to, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr("halo_engine.mail.composing.message.write_mail", failing)
        sandbox.settle()
        assert len(sandbox.transport.sent) == 9
        assert parked_rows(sandbox) == [(contacts[4], 1, True, "RecursionError: too deep")]
        sandbox.now += MINUTE
        sandbox.settle()
        assert parked_rows(sandbox) == [(contacts[4], 1, True, "RecursionError: too deep")]
    assert (
        sandbox.count(automation_recipients, IS_ACTIVE, automation_recipients.c.attempts == 0) == 1
    )
    sandbox.now += MINUTE
    sandbox.settle()
    assert len(sandbox.transport.sent) == 10


def test_emails_whose_values_cannot_be_gathered_hold_up_no_other(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that fails before its first email is sent in parts; an email that fails alone is
    given back at once.
    """
    contacts = due(sandbox, 10, "one")
    gather_values = values.gather_values

    def failing(work: Work, asked: Collection[UUID], *rest: Any) -> Any:
        if contacts[4] in asked:
            raise ValueError("no values")
        return gather_values(work, asked, *rest)

    with monkeypatch.context() as patch:
        patch.setattr("halo_engine.mail.sending.letters.gather_values", failing)
        sandbox.settle()
    assert len(sandbox.transport.sent) == 9
    assert parked_rows(sandbox) == [(contacts[4], 1, True, "ValueError: no values")]
    sandbox.now += MINUTE
    sandbox.settle()
    assert len(sandbox.transport.sent) == 10


def test_emails_that_all_lack_their_values_are_given_back(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No try counts, and none of them waits until its lease expires."""
    due(sandbox, 10, "one")

    def failing(*_: Any) -> Any:
        raise ValueError("no values")

    with monkeypatch.context() as patch:
        patch.setattr("halo_engine.mail.sending.letters.gather_values", failing)
        sandbox.settle()
    assert [each.tries for each in parked_rows(sandbox)] == [0] * PROBES
    assert sandbox.count(automation_recipients, IS_PROCESSING) == 0
    sandbox.now += MINUTE
    sandbox.settle()
    assert len(sandbox.transport.sent) == 10


def test_a_lease_that_cannot_be_taken_up_holds_up_no_other(sandbox: Sandbox) -> None:
    """A dead worker's other rows are settled; the one that fails is retried."""
    contacts = due(sandbox, 10, "one")
    sandbox.perform(lambda work: advance(work, 100, lease_seconds=-1))
    with refusing(
        sandbox.database,
        ROWS,
        f"NEW.status = 'pending' AND NEW.end_user_id = '{contacts[4]}'",
        "UPDATE",
    ):
        sandbox.tick()
    assert len(sandbox.transport.sent) == 9
    assert [(each.contact_id, each.tries) for each in parked_rows(sandbox)] == [(contacts[4], 1)]
    sandbox.perform(
        lambda work: work.connection.execute(
            update(automation_recipients)
            .where(automation_recipients.c.org_id == work.org_id, IS_ACTIVE)
            .values(lease_expires_at=func.now())
        )
    )
    sandbox.tick()
    assert len(sandbox.transport.sent) == 10


def test_a_batch_of_rows_that_takes_too_long_is_halved(
    sandbox: Sandbox, shared_database: Engine
) -> None:
    """Each next batch is half as large, until one succeeds; no row counts a try."""
    due(sandbox, 40, "one")
    url = shared_database.url.render_as_string(hide_password=False)
    limited = replace(sandbox, database=create_engine(url, statement_timeout_seconds=120.0))
    engine = limited.engine
    with shared_database.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "IF (SELECT count(*) FROM moved) > 10 THEN "
                "RAISE 'canceling statement due to statement timeout' USING ERRCODE = '57014'; "
                "END IF; RETURN NULL; END $$"
            )
        )
        connection.execute(
            text(
                f"CREATE TRIGGER dawdles AFTER UPDATE ON {ROWS} REFERENCING NEW TABLE AS moved "
                "FOR EACH STATEMENT EXECUTE FUNCTION dawdle()"
            )
        )
    try:
        for _ in range(6):
            for _ in engine.settle(limited.org_id):
                pass
    finally:
        with shared_database.begin() as connection:
            connection.execute(text("DROP FUNCTION dawdle() CASCADE"))
        limited.database.dispose()
    assert len(sandbox.transport.sent) == 40
    assert sandbox.count(automation_recipients, automation_recipients.c.failed_at.is_not(None)) == 0
