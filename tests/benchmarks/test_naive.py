"""The naive baseline is honest: it makes the engine's enrollments."""

import random
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select

from benchmarks.workloads.naive import handle_changes
from halo_engine.domain.series.signals import SignalKind
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    companies,
    suppressions,
)
from tests.pipeline.sandbox import EMAIL, Sandbox, new_sandbox

CONTACTS = 60
_VALUES = {"plan": ("pro", "free"), "role": ("owner", "member"), "custom:team": ("a", "b", "c")}


def _enrolled(sandbox: Sandbox) -> set[tuple[Any, ...]]:
    runs, rows = automation_enrollments, automation_recipients
    same_run = (
        (runs.c.org_id == rows.c.org_id)
        & (runs.c.automation_id == rows.c.automation_id)
        & (runs.c.end_user_id == rows.c.end_user_id)
        & (runs.c.number == rows.c.enrollment_number)
    )
    found = select(
        runs.c.automation_id,
        runs.c.end_user_id,
        runs.c.number,
        runs.c.company_seat,
        runs.c.ended_at,
        rows.c.step_id,
        rows.c.status,
        rows.c.scheduled_for - rows.c.created_at,
    ).where(runs.c.org_id == sandbox.org_id)
    with sandbox.database.connect() as connection:
        placed = connection.execute(found.select_from(runs.join(rows, same_run))).all()
        counted = sandbox.count(runs), sandbox.count(rows)
    assert counted == (len(placed), len(placed))
    return {tuple(row) for row in placed}


def _populate(sandbox: Sandbox, dice: random.Random) -> list[Any]:
    org_id = sandbox.org_id
    with sandbox.database.begin() as connection:
        added = insert(companies).returning(companies.c.id)
        firms = [
            connection.execute(
                added,
                {
                    "org_id": org_id,
                    "external_id": f"c{n}",
                    "created_at": sandbox.now,
                    "updated_at": sandbox.now,
                },
            ).scalar_one()
            for n in range(12)
        ]
    ids = []
    for number in range(CONTACTS):
        custom = {
            name.removeprefix("custom:"): dice.choice(choices)
            for name, choices in _VALUES.items()
            if dice.random() < 0.9
        }
        firm = dice.choice([None, *firms])
        ids += sandbox.contacts([f"u{number}"], custom_fields=custom, company_id=firm)
    with sandbox.database.begin() as connection:
        for number in dice.sample(range(CONTACTS), 5):
            address = f"u{number}@a.example"
            values = {"org_id": org_id, "address": address, "bounced_at": sandbox.now}
            connection.execute(insert(suppressions).values(**values))
    return ids


def _series(sandbox: Sandbox, dice: random.Random) -> None:
    for number in range(8):
        groups = [
            [
                {"field": name, "operator": "is", "value": dice.choice(_VALUES[name])}
                for name in dice.sample(sorted(_VALUES), dice.randint(1, 2))
            ]
            for _ in range(dice.randint(1, 2))
        ]
        sandbox.series(
            f"s{number}",
            entry_trigger="segment_match",
            audience_type="segment",
            audience_filters=groups,
            contact_type=dice.choice(["both", "user", "lead"]),
            settings={"one_per_company": dice.random() < 0.5},
            steps=[{**EMAIL, "delay": "1d"}],
        )


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.torture) for n in range(1, 5))]
)
def test_the_naive_baseline_enrolls_the_same(shared_database: Engine, seed: int) -> None:
    """Engine and baseline make the same enrollments in a random organisation whose contacts
    changed.
    """
    dice = random.Random(seed)
    sandbox = new_sandbox(shared_database, f"naive-{seed}")
    _series(sandbox, dice)
    sandbox.settle()
    ids = _populate(sandbox, dice)
    sandbox.signal(ids, SignalKind.CHANGED)
    sandbox.settle()
    expected = _enrolled(sandbox)
    with sandbox.database.begin() as connection:
        runs = automation_enrollments
        connection.execute(delete(runs).where(runs.c.org_id == sandbox.org_id))
    assert not _enrolled(sandbox)
    assert len(expected) == handle_changes(sandbox.database, sandbox.org_id, ids) > 5
    assert _enrolled(sandbox) == expected
