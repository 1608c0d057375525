"""Minutes of faults under load: nothing that was answered is lost, nothing is doubled.

`HALO_TEST_CHAOS_SECONDS` says how long: ten minutes unless it is set. `HALO_TEST_CHAOS_LOGS` names
a folder for the logs, `HALO_TEST_SEED` another course of events.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any, Final

import click
import pytest
from redis import RedisError
from sqlalchemy import Engine, func, insert, text
from sqlalchemy.exc import DBAPIError

from halo_engine import migrate
from halo_engine.answers.reports.ledger import ledger
from halo_engine.database import create_engine
from halo_engine.opening import open_work
from halo_engine.series.lifecycle import activate, find_series
from halo_engine.series.save import parse_definition, save_series
from halo_engine.settings import Settings
from halo_engine.tables import organizations
from halo_engine.work import OrgRef
from tests.races.invariants import violations
from tests.torture.chaos.faults import Faults
from tests.torture.chaos.plant import Plant, running_plant
from tests.torture.chaos.traffic import Sent, Traffic, turn_field
from workers.broker.scripts import IN_HAND
from workers.configuration import create_app
from workers.queue_names import QUEUES

pytestmark = pytest.mark.torture

SECONDS: Final = float(os.environ.get("HALO_TEST_CHAOS_SECONDS", "600"))
SEED: Final = int(os.environ.get("HALO_TEST_SEED", "1"))
#: Fewer faults a minute than this are no trial.
FAULTS_A_MINUTE: Final = 15
#: Leases end, killed workers' messages come back, and what waited is handled.
CALM_SECONDS: Final = 400.0

ORG: Final = "acme"
SERIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "welcome": {
        "entry_trigger": "user_created",
        "steps": [
            {"key": "hello", "email": {"subject": "Hello", "body": "Hi"}},
            {"key": "later", "delay": "2s", "email": {"subject": "Later", "body": "Still there?"}},
        ],
    },
    "pros": {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [[{"field": "plan", "operator": "is", "value": "pro"}]],
        "settings": {"exit_rules": ["segment_leave"], "reenroll_enabled": True},
        "steps": [{"key": "wait", "delay": "2h", "email": {"subject": "Pro", "body": "Pro"}}],
    },
}

#: What must hold beside the promises of `tests.races.invariants`.
PROMISES: Final = {
    "whoever was created was welcomed once": """
        SELECT c.org_id, format('%s was %s times', c.external_id, count(e.number))
        FROM end_users c
        LEFT JOIN (automation_enrollments e JOIN automations a
        ON a.org_id = e.org_id AND a.id = e.automation_id AND a.key = 'welcome')
        ON e.org_id = c.org_id AND e.end_user_id = c.id
        GROUP BY c.org_id, c.external_id HAVING count(e.number) <> 1""",
    "whoever is pro is in the series for pros, and nobody else": """
        SELECT c.org_id, format('%s is %s', c.external_id, c.custom_fields->>'plan')
        FROM end_users c
        LEFT JOIN (automation_enrollments e JOIN automations a
        ON a.org_id = e.org_id AND a.id = e.automation_id AND a.key = 'pros')
        ON e.org_id = c.org_id AND e.end_user_id = c.id AND e.ended_at IS NULL
        WHERE (c.custom_fields->>'plan' = 'pro') <> (e.number IS NOT NULL)""",
    "an event is counted once for each row, and a call makes one": """
        SELECT c.org_id, format('%s: %s', c.end_user_id, c.count) FROM event_counts c
        WHERE c.count <> (SELECT count(DISTINCT v.properties->>'number') FROM events v
        WHERE v.org_id = c.org_id AND v.end_user_id = c.end_user_id AND v.name = c.name)
        OR c.count <> (SELECT count(*) FROM events v
        WHERE v.org_id = c.org_id AND v.end_user_id = c.end_user_id AND v.name = c.name)""",
}

#: Work that is under way or due: none of it is left when the installation is calm.
_LEFT: Final = text("""
    SELECT (SELECT count(*) FROM signals)
    + (SELECT count(*) FROM automation_recipients WHERE status = 'processing'
       OR status = 'pending' AND scheduled_for <= now())
    + (SELECT count(*) FROM messages WHERE state = 'intended')""")


def prepare(plant: Plant) -> None:
    """Make the organisation with its active series."""
    migrate.upgrade(plant.database_url)
    with _database(plant) as database, database.begin() as connection:
        connection.execute(
            insert(organizations).values(
                key=ORG,
                name=ORG,
                widget_key=ORG,
                reevaluate_cron="* * * * *",
                created_at=func.now(),
                reevaluated_at=func.now(),
            )
        )
        work = open_work(connection, OrgRef(key=ORG), None)
        for key, definition in SERIES.items():
            save_series(work, key, parse_definition(key, dict(definition)))
            activate(work, key, "test")


@contextmanager
def _database(plant: Plant) -> Iterator[Engine]:
    engine = create_engine(plant.database_url, application_name="halo-chaos")
    try:
        yield engine
    finally:
        engine.dispose()


def test_nothing_answered_is_lost_and_nothing_is_doubled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Workers, beat, database, broker and mail server fail every few seconds, alone and together.

    What the engine promises is then judged by SQL and by the mail server's own log.
    """
    with running_plant(prepare) as plant, capsys.disabled():
        app = create_app(Settings(database_url=plant.database_url, broker_url=plant.broker_url))
        faults, traffic, over = Faults(plant, SEED), Traffic(app, ORG, SEED), Event()
        calling = Thread(target=traffic.run, args=(over,))
        calling.start()
        faults.run(SECONDS)
        over.set()
        calling.join()
        calm = _wait_for_calm(plant, traffic)
        traffic.give_up()
        _show(faults, traffic, calm)
        with _database(plant) as database:
            assert faults.problems == []
            assert sum(faults.counted.values()) >= FAULTS_A_MINUTE * SECONDS / 60
            assert _broken_promises(database) == []
            assert _lost(database, traffic.answered) == []
            assert _wrong_mails(database, plant.mail.accepted) == []
            _assert_ledgers_balance(database)


def _wait_for_calm(plant: Plant, traffic: Traffic) -> float:
    """Wait until nothing is under way or due; return how many seconds that took."""
    began = monotonic()
    with _database(plant) as database:
        while left := _left(plant, database):
            assert monotonic() - began < CALM_SECONDS, f"it does not come to rest: {left}"
            traffic.collect()
            sleep(0.5)
        while traffic.collect() and monotonic() - began < CALM_SECONDS / 8:
            sleep(0.5)
        # The last change of a plan is seen by the next pass at the latest.
        _settle_last_pass(database)
    return monotonic() - began


def _settle_last_pass(database: Engine) -> None:
    with database.connect() as connection:
        after = connection.execute(text("SELECT now()")).scalar_one()
    reevaluated = text("SELECT bool_and(reevaluated_at > :after) FROM organizations")
    while True:
        with database.connect() as connection:
            is_over = connection.execute(reevaluated, {"after": after}).scalar_one()
            if is_over and connection.execute(_LEFT).scalar_one() == 0:
                return
        sleep(0.5)


def _left(plant: Plant, database: Engine) -> dict[str, int]:
    """Return what is under way or waits: nothing when the installation is calm."""
    try:
        client = plant.client()
        found = {name: int(client.llen(name)) for name in QUEUES}
        found["in hand"] = int(client.hlen(IN_HAND))
        with database.connect() as connection:
            found["rows"] = int(connection.execute(_LEFT).scalar_one())
    except (RedisError, DBAPIError):
        return {"servers that do not answer": 1}
    return {name: number for name, number in found.items() if number}


def _broken_promises(database: Engine) -> list[str]:
    with database.connect() as connection:
        return violations(connection, PROMISES)


def _lost(database: Engine, answered: list[Sent]) -> list[Sent]:
    """Return the calls that were answered and left nothing behind."""
    with database.connect() as connection:
        contacts = connection.execute(text("SELECT external_id, custom_fields FROM end_users"))
        fields: dict[str, dict[str, Any]] = {row.external_id: row.custom_fields for row in contacts}
        events = set(connection.scalars(text("SELECT (properties->>'number')::int FROM events")))

    def is_there(sent: Sent) -> bool:
        if sent.task == "halo.track":
            return sent.number in events
        return bool(fields.get(sent.user, {}).get(turn_field(sent)) == sent.number)

    return [sent for sent in answered if not is_there(sent)]


def _wrong_mails(database: Engine, accepted: list[tuple[str, str]]) -> list[str]:
    """Compare the send ledger with what the mail server took, which is the truth."""
    with database.connect() as connection:
        mails = connection.execute(text("SELECT message_id, state FROM messages"))
        known: dict[str, str] = {mail.message_id: mail.state for mail in mails}
    copies = Counter(message_id for message_id, _ in accepted)
    left = {each for each, state in known.items() if state in ("sent", "unknown")}
    sent = {each for each, state in known.items() if state == "sent"}
    return [
        *[f"{each} was taken {copies[each]} times" for each in copies if copies[each] > 1],
        *[f"{each} never left" for each in sent - set(copies)],
        *[f"{each} left, and is {known.get(each)}" for each in set(copies) - left],
    ]


def _assert_ledgers_balance(database: Engine) -> None:
    """Each matched contact is in one bucket, and those who are active are the active runs."""
    for key in SERIES:
        with database.connect() as connection:
            work = open_work(connection, OrgRef(key=ORG), None)
            found = ledger(work, find_series(work, key))
            active = connection.execute(
                text(
                    "SELECT count(*) FROM automation_enrollments e JOIN automations a"
                    " ON a.org_id = e.org_id AND a.id = e.automation_id"
                    " WHERE a.key = :key AND e.ended_at IS NULL"
                ),
                {"key": key},
            ).scalar_one()
        assert found.buckets.get("active", 0) + found.active_outside == active
        assert sum(found.buckets.values()) == found.matched


def _show(faults: Faults, traffic: Traffic, calm: float) -> None:
    click.echo(f"\n{sum(faults.counted.values())} faults: {dict(faults.counted)}")
    click.echo(f"calls: {dict(traffic.counted)}; refusals: {dict(traffic.refusals)}")
    mails = len(faults.plant.mail.accepted)
    click.echo(f"{mails} mails; calm after {calm:.0f} s")
