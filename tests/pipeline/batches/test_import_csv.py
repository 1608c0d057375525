"""A dry run says what an import does, and does nothing (contract §2, CSV as programs write it)."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import insert, select

from halo_engine.contacts.consent.lists import UnsubscribeCall, unsubscribe
from halo_engine.contacts.csv_import.resume import FileOptions, import_file
from halo_engine.domain.errors import Refusal
from halo_engine.pipeline.batches import import_csv
from halo_engine.pipeline.batches.import_csv import (
    DryRunAnswer,
    ImportOrTryCall,
    import_or_try,
    try_file,
)
from halo_engine.tables import automation_enrollments, automations, metadata, subscriptions
from tests.pipeline.sandbox import Sandbox

MAPPING = {
    "id": "external_id",
    "e": "email",
    "plan": "plan",
    "vip": "list:vip",
    "out": "unsubscribed",
}
HOW = FileOptions(mapping=MAPPING)
LATER = {"key": "later", "delay": "300d", "email": {"subject": "Later", "body": "Later"}}
OWNERS = {
    "audience_type": "segment",
    "audience_filters": [{"field": "plan", "operator": "is", "value": "pro"}],
}


@pytest.fixture
def sandbox(sandbox: Sandbox) -> Sandbox:
    """Contacts, a list, and series of which each refuses others."""
    made = insert(subscriptions)
    sandbox.perform(
        lambda work: work.connection.execute(
            made.values(org_id=work.org_id, key="vip", created_at=work.now)
        )
    )
    known = sandbox.contacts([f"u{n}" for n in range(10)])
    sandbox.perform(lambda work: unsubscribe(work, UnsubscribeCall(contact="u1")))
    sandbox.series("everybody", audience_type="all")
    sandbox.series("leads", contact_type="lead")
    sandbox.series("vips", audience_type="subscription", subscription="vip")
    sandbox.series("pros", **OWNERS)
    sandbox.series("pros later", entry_trigger="segment_match", **OWNERS)
    leaving = {"exit_rules": ["filter_match"], "exit_filters": OWNERS["audience_filters"]}
    sandbox.series("not pros", settings=leaving, steps=[LATER])
    sandbox.signal(known[:6])
    sandbox.settle()
    sandbox.now += timedelta(minutes=1)
    return sandbox


def everything(sandbox: Sandbox) -> dict[str, list[str]]:
    """Return every row that the organisation has."""
    org_id = sandbox.org_id
    with sandbox.database.connect() as connection:
        return {
            table.name: sorted(
                map(str, connection.execute(select(table).where(table.c.org_id == org_id)))
            )
            for table in metadata.sorted_tables
            if "org_id" in table.c
        }


def enrolled(sandbox: Sandbox) -> Counter[str]:
    """Return how many runs each series has had."""
    runs = (
        select(automations.c.key)
        .join(automation_enrollments, automation_enrollments.c.automation_id == automations.c.id)
        .where(automations.c.org_id == sandbox.org_id)
    )
    with sandbox.database.connect() as connection:
        return Counter(connection.scalars(runs))


def ended(sandbox: Sandbox) -> dict[str, Counter[str]]:
    """Return how many runs from before this minute have ended, by exit reason."""
    runs = (
        select(automations.c.key, automation_enrollments.c.exit_reason)
        .join(automation_enrollments, automation_enrollments.c.automation_id == automations.c.id)
        .where(
            automations.c.org_id == sandbox.org_id,
            automation_enrollments.c.ended_at.is_not(None),
            automation_enrollments.c.exit_reason != "completed",
            automation_enrollments.c.created_at < sandbox.now,
        )
    )
    found: dict[str, Counter[str]] = {}
    with sandbox.database.connect() as connection:
        for key, reason in connection.execute(runs):
            found.setdefault(key, Counter())[reason] += 1
    return found


def written(path: Path, random: Random, count: int) -> Path:
    """Write a file whose rows are of few people, some of them bad."""
    with path.open("w") as file:
        file.write("id,e,plan,vip,out\n")
        for _ in range(count):
            n = random.randrange(20)
            user = random.choice((f"u{n}", f"u{n}", ""))
            email = random.choice((f"u{n}@a.example", f"U{n}@a.example", "", "nobody"))
            plan, vip = random.choice(("pro", "free", "")), random.choice(("yes", "no", "", "x"))
            file.write(f"{user},{email},{plan},{vip},{random.choice(('', '', '', 'yes'))}\n")
    return path


@pytest.mark.parametrize("seed", range(4))
def test_a_dry_run_says_what_the_import_does(sandbox: Sandbox, tmp_path: Path, seed: int) -> None:
    """The dry run reports counts, bad lines, and how many enter each series: at once, and at the
    next re-evaluation.
    """
    file = written(tmp_path / "people.csv", Random(seed), 60)
    before = everything(sandbox)
    trial = try_file(sandbox.perform, file, HOW)
    assert everything(sandbox) == before
    runs = enrolled(sandbox)
    answer = import_file(sandbox.perform, file, HOW)
    fields = {"created", "updated", "bad", "errors", "warnings"}
    assert trial.model_dump(include=fields) == answer.model_dump(include=fields)
    # A row of separators alone is passed over.
    rows = sum(bool(line.strip(",")) for line in file.read_text().splitlines()[1:])
    assert (trial.rows, trial.tried) == (rows, rows)
    sandbox.settle()
    assert trial.leaves == ended(sandbox)
    assert trial.starts == dict(enrolled(sandbox) - runs)
    runs = enrolled(sandbox)
    sandbox.tick(timedelta(minutes=15))
    assert trial.starts_later == dict(enrolled(sandbox) - runs)
    assert trial.starts
    assert trial.starts_later


def test_of_a_long_file_the_first_rows_are_tried(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other rows are only checked for errors, and the answer says so."""
    monkeypatch.setattr(import_csv, "MOST_TRIED", 7)
    file = tmp_path / "people.csv"
    rows = [f"n{n},{'nobody' if n % 5 == 4 else ''},,," for n in range(20)]
    file.write_text("\n".join(["id,e,plan,vip,out", *rows]))
    trial = try_file(sandbox.perform, file, HOW)
    assert (trial.rows, trial.tried, trial.created, trial.bad) == (20, 7, 6, 4)
    assert [each.line for each in trial.errors] == [6, 11, 16, 21]


def test_a_call_can_be_a_dry_run(sandbox: Sandbox) -> None:
    """The task's form answers the same, and writes nothing."""
    mapping = {"id": "external_id", "e": "email"}
    call: dict[str, Any] = {"text": "id,e\nnew,new@a.example\n", "mapping": mapping}
    before = everything(sandbox)
    trial = sandbox.perform(lambda work: import_or_try(work, ImportOrTryCall(**call, dry_run=True)))
    assert isinstance(trial, DryRunAnswer)
    assert (trial.created, trial.starts_later) == (1, {})
    assert trial.starts == {"everybody": 1, "not pros": 1}
    assert everything(sandbox) == before
    answer = sandbox.perform(lambda work: import_or_try(work, ImportOrTryCall(**call)))
    assert (answer.created, isinstance(answer, DryRunAnswer)) == (1, False)


def test_a_mapping_that_does_not_fit_is_refused_in_a_dry_run(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A dry run refuses a mapping exactly as the import would."""
    file = tmp_path / "people.csv"
    file.write_text("id\nann\n")
    with pytest.raises(Refusal, match=r"^mapping: the file has no column ‘e’; it has ‘id’$"):
        try_file(sandbox.perform, file, HOW)
