"""Which mails frequency caps count, and from when (contract §20)."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select, update

from halo_engine.organizations.settings import ChangeOrganizationCall
from halo_engine.organizations.storing import change_organization
from halo_engine.tables import automation_recipients, automations, messages
from tests.pipeline.sandbox import EMAIL, NOON, Sandbox, new_sandbox

_numbers = count(1)
HOUR = timedelta(hours=1)
DAY = 24 * HOUR


@pytest.fixture
def sandbox(shared_database: Engine) -> Sandbox:
    """An organisation that sends one marketing mail a day; Ann got one an hour ago."""
    made = new_sandbox(shared_database, f"caps-{next(_numbers)}-{uuid4()}")
    limits = {
        "frequency_caps": [{"at_most": 1, "within": "24h"}],
        "verified_domain": True,
        "company_footer": "Acme",
    }
    change = ChangeOrganizationCall.model_validate(limits)
    made.perform(lambda work: change_organization(work.connection, work.org.key, change))
    made.series("first", kind="marketing", steps=[EMAIL])
    made.signal(made.contacts(["ann"]))
    made.settle()
    assert len(made.transport.sent) == 1
    made.now += HOUR
    return made


def say(sandbox: Sandbox, **values: Any) -> None:
    """Write into the ledger what became of the first mail."""
    of = messages.c.org_id
    sandbox.perform(
        lambda work: work.connection.execute(
            update(messages).where(of == work.org_id).values(**values)
        )
    )


def second_mail(sandbox: Sandbox) -> datetime | None:
    """Let Ann enter a second series; return until when its mail is held, None if it was sent."""
    sandbox.series(
        "second",
        kind="marketing",
        entry_trigger="manual",
        steps=[{**EMAIL, "key": "second"}],
    )
    sandbox.settle()
    rows = automation_recipients
    waiting = select(rows.c.scheduled_for).where(rows.c.status == "pending")
    return sandbox.perform(
        lambda work: work.connection.scalar(waiting.where(rows.c.org_id == work.org_id))
    )


@pytest.mark.parametrize(
    ("became", "until"),
    [
        ({"state": "sent", "intended_at": NOON - 2 * HOUR, "sent_at": NOON - HOUR}, NOON - HOUR),
        ({"state": "intended", "intended_at": NOON - HOUR, "sent_at": None}, NOON - HOUR),
        ({"state": "unknown", "intended_at": NOON - HOUR, "sent_at": None}, NOON - HOUR),
        ({"state": "failed", "sent_at": None, "error": "550"}, None),
    ],
    ids=["sent", "under way", "of unknown outcome", "failed"],
)
def test_a_mail_counts_from_when_it_was_sent_or_else_meant_to_be(
    sandbox: Sandbox, became: dict[str, Any], until: datetime | None
) -> None:
    """What is under way or of unknown outcome counts by its intent, what failed not at all."""
    say(sandbox, **became)
    assert second_mail(sandbox) == (until and until + DAY)


@pytest.mark.parametrize(("said", "counts"), [(True, True), (False, False), (None, True)])
def test_marketing_alone_counts_as_it_was_when_it_was_sent(
    sandbox: Sandbox, said: bool | None, counts: bool
) -> None:
    """The kind of its series says it of mail from before that was kept."""
    say(sandbox, marketing=said)
    assert second_mail(sandbox) == (NOON + DAY if counts else None)


def test_a_series_that_changed_its_kind_does_not_change_what_was_sent(sandbox: Sandbox) -> None:
    """What was sent as marketing counts, whatever its series is now."""
    change = update(automations).values(kind="transactional")
    of = automations.c.org_id
    sandbox.perform(lambda work: work.connection.execute(change.where(of == work.org_id)))
    assert second_mail(sandbox) == NOON + DAY
