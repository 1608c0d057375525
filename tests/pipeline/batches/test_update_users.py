"""A dry run of an update says what the update does, and does nothing (contract §2)."""

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from halo_engine.contacts.identifying import update_file
from halo_engine.contacts.identifying.update_file import update_file as update_from
from halo_engine.domain.errors import Refusal
from halo_engine.pipeline.batches import update_users
from halo_engine.pipeline.batches.update_users import (
    UpdateDryRun,
    UpdateOrTryCall,
    try_update_file,
    update_or_try,
)
from halo_engine.tables import automation_enrollments, automations
from halo_engine.work import Work
from tests.pipeline.sandbox import Sandbox

PRO = {"field": "plan", "operator": "is", "value": "pro"}
LATER: dict[str, Any] = {
    "key": "later",
    "delay": "300d",
    "email": {"subject": "Later", "body": "Later"},
}


@pytest.fixture
def sandbox(sandbox: Sandbox) -> Sandbox:
    """Ten users, half of them pro, in series that some changes end."""
    users = [{"user_id": f"u{n}", "traits": {"plan": ("pro", "free")[n % 2]}} for n in range(10)]
    sandbox.perform(lambda work: update_or_try(work, batch(users), is_proven=True))
    in_segment: dict[str, Any] = {"entry_trigger": "segment_match", "audience_type": "segment"}
    of_pro = {"audience_filters": [[PRO]], "settings": {"exit_rules": ["segment_leave"]}}
    growing = {"exit_rules": ["filter_match"], "exit_filters": [[{**PRO, "value": "enterprise"}]]}
    anybody = {"audience_filters": [[PRO], [{**PRO, "value": "free"}]], "settings": growing}
    sandbox.series("pros", steps=[LATER], **in_segment, **of_pro)
    sandbox.series("all", steps=[LATER], **in_segment, **anybody)
    sandbox.settle()
    return sandbox


def batch(users: list[Any], **call: Any) -> UpdateOrTryCall:
    """Return the call that updates these users."""
    return UpdateOrTryCall(users=users, **call)


def ended(sandbox: Sandbox) -> dict[str, Counter[str]]:
    """Return how many runs of each series have ended, by exit reason."""
    runs = (
        select(automations.c.key, automation_enrollments.c.exit_reason)
        .join(automation_enrollments, automation_enrollments.c.automation_id == automations.c.id)
        .where(
            automations.c.org_id == sandbox.org_id, automation_enrollments.c.ended_at.is_not(None)
        )
    )
    found: dict[str, Counter[str]] = {}
    with sandbox.database.connect() as connection:
        for key, reason in connection.execute(runs):
            found.setdefault(key, Counter())[reason] += 1
    return found


def some_users(random: Random) -> list[Any]:
    """Return users of a batch: known ones, new ones, some twice, some bad."""
    plans = ("pro", "free", "enterprise", None)
    users: list[Any] = [
        {"user_id": f"u{random.randrange(14)}", "traits": {"plan": random.choice(plans)}}
        for _ in range(12)
    ]
    users[random.randrange(12)] = {"user_id": " "}
    return users


@pytest.mark.parametrize("seed", range(3))
def test_a_dry_run_says_what_the_update_does(sandbox: Sandbox, seed: int) -> None:
    """It counts what would be written, and who would leave which series, by exit reason."""
    users = some_users(Random(seed))
    tried = sandbox.perform(
        lambda work: update_or_try(work, batch(users, dry_run=True), is_proven=True)
    )
    assert isinstance(tried, UpdateDryRun)
    assert (ended(sandbox), tried.starts) == ({}, {})
    done = sandbox.perform(lambda work: update_or_try(work, batch(users), is_proven=True))
    assert tried.model_dump(include={*type(done).model_fields}) == done.model_dump()
    sandbox.settle()
    assert tried.leaves == ended(sandbox)
    assert tried.leaves


def test_a_dry_run_needs_the_proof_of_an_update(sandbox: Sandbox) -> None:
    """What a batch would do is said to nobody who may not send it."""
    with pytest.raises(Refusal) as refused:
        sandbox.perform(lambda work: update_or_try(work, batch([], dry_run=True)))
    assert refused.value.status == 401


def test_a_dry_run_leaves_no_field_cached(sandbox: Sandbox) -> None:
    """A custom field that only a dry run saw is registered by the update after it."""
    users = [{"user_id": "u1", "traits": {"seats": 3}}]

    def both(work: Work) -> set[str]:
        update_or_try(work, batch(users, dry_run=True), is_proven=True)
        return set(work.org.known_fields)

    assert "seats" not in sandbox.perform(both)


def test_a_file_is_updated_page_by_page(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file has one user a line, bad lines are named, and its dry run says the same first."""
    monkeypatch.setattr(update_file, "LARGEST_BATCH", 2)
    lines = [
        json.dumps({"user_id": "u0", "traits": {"plan": "free"}}),
        "",
        "{",
        json.dumps({"user_id": "new"}),
        json.dumps({"user_id": "u2", "traits": {"mrr": "many"}}),
        json.dumps(["u2"]),
        json.dumps({"user_id": "u2", "traits": {"plan": "enterprise"}}),
    ]
    file = tmp_path / "users.jsonl"
    file.write_text("\ufeff" + "\n".join(lines))
    tried = try_update_file(sandbox.perform, file)
    assert tried.leaves == {"pros": {"segment_leave": 2}, "all": {"filter_match": 1}}
    assert (tried.users, tried.tried) == (6, 6)
    done = update_from(sandbox.perform, file)
    assert tried.model_dump(include={*type(done).model_fields}) == done.model_dump()
    assert (done.created, done.updated, done.skipped, done.bad) == (1, 2, 0, 3)
    assert [(each.line, each.message[:8]) for each in done.errors] == [
        (3, "line 3 i"),
        (5, "line 5: "),
        (6, "line 6: "),
    ]
    only = update_from(sandbox.perform, file, update_only=True)
    assert (only.created, only.updated) == (0, 3)


def test_of_a_long_file_the_first_lines_are_tried(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run holds the locks of an update, so it tries the first pages and counts the rest."""
    monkeypatch.setattr(update_file, "LARGEST_BATCH", 2)
    monkeypatch.setattr(update_users, "MOST_TRIED", 4)
    file = tmp_path / "users.jsonl"
    file.write_text("".join(json.dumps({"user_id": f"n{n}"}) + "\n" for n in range(7)))
    tried = try_update_file(sandbox.perform, file)
    assert (tried.created, tried.users, tried.tried) == (4, 7, 4)


def test_a_line_that_never_ends_is_refused(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of more than 16 MB ends the file; nesting without end is a bad line."""
    file = tmp_path / "users.jsonl"
    file.write_text("[" * 100_000)
    assert update_from(sandbox.perform, file).bad == 1
    monkeypatch.setattr(update_file, "LONGEST_LINE", 10)
    with pytest.raises(Refusal) as refused:
        update_from(sandbox.perform, file)
    assert (refused.value.status, refused.value.code) == (400, "too_large")
