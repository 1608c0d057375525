"""What a guard refused and no longer does is noted for the next pass, whatever it was (§4)."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, and_, func, select

from halo_engine.rehearsal.actions.table import play
from halo_engine.rehearsal.sandbox import open_sandbox
from halo_engine.rehearsal.scenario import read_scenario
from halo_engine.tables import automation_enrollments, end_users
from tests.pipeline.test_passes import PRO

FIRST = "2026-06-01T12:00:00Z"
COMES_BACK = [
    ("identify", {"user_id": "b", "traits": {"plan": plan}}) for plan in ("pro", "free", "pro")
]
#: What keeps the contact `b` out of the series at first, and what no longer does: the series'
#: settings, the beginning, and the action after which the next pass lets `b` in.
FREED: dict[str, tuple[dict[str, Any], list[tuple[str, Any]], tuple[str, Any]]] = {
    "a seat that a removal frees": (
        {"settings": {"one_per_company": True}},
        [
            ("identify", {"user_id": name, "traits": {"plan": "pro"}, "company": {"id": "acme"}})
            for name in "ab"
        ],
        ("remove", {"contact": "a", "series": "s"}),
    ),
    "a seat that a move frees": (
        {"settings": {"one_per_company": True}},
        [
            ("identify", {"user_id": name, "traits": {"plan": "pro"}, "company": {"id": "acme"}})
            for name in "ab"
        ],
        ("identify_company", {"id": "beta", "user_id": "a"}),
    ),
    "a company without a seat taken": (
        {"settings": {"one_per_company": True}},
        [
            ("identify", {"user_id": name, "traits": {"plan": "pro"}, "company": {"id": "acme"}})
            for name in "ab"
        ],
        ("identify_company", {"id": "beta", "user_id": "b"}),
    ),
    "an address that an erasure frees": (
        {"settings": {"one_per_address": True}},
        [
            ("identify", {"user_id": name, "traits": {"plan": "pro", "email": "x@a.example"}})
            for name in "ab"
        ],
        ("erase", {"contact": "a"}),
    ),
    "an address that a removal frees": (
        {"settings": {"one_per_address": True}},
        [
            ("identify", {"user_id": name, "traits": {"plan": "pro", "email": "x@a.example"}})
            for name in "ab"
        ],
        ("remove", {"contact": "a", "series": "s"}),
    ),
    "another address": (
        {"settings": {"one_per_address": True}},
        [
            ("identify", {"user_id": name, "traits": {"plan": "pro", "email": "x@a.example"}})
            for name in "ab"
        ],
        ("identify", {"user_id": "b", "traits": {"email": "b@a.example"}}),
    ),
    "a suppression that is lifted": (
        {},
        [
            ("identify", {"user_id": "b", "traits": {"email": "b@a.example"}}),
            ("bounce", {"contact": "b"}),
            ("identify", {"user_id": "b", "traits": {"plan": "pro"}}),
        ],
        ("unsuppress", {"contact": "b", "because": "asked by phone"}),
    ),
    "the exit filter": (
        {
            "settings": {
                "exit_rules": ["filter_match"],
                "exit_filters": [{"field": "role", "operator": "is", "value": "owner"}],
            }
        },
        [("identify", {"user_id": "b", "traits": {"plan": "pro", "role": "owner"}})],
        ("identify", {"user_id": "b", "traits": {"role": "member"}}),
    ),
    "the exit filter of a company": (
        {
            "settings": {
                "exit_rules": ["filter_match"],
                "exit_filters": [{"field": "company.mrr", "operator": "gt", "value": 100}],
            }
        },
        [
            ("identify_company", {"id": "acme", "traits": {"mrr": 500}}),
            ("identify", {"user_id": "b", "traits": {"plan": "pro"}, "company": {"id": "acme"}}),
        ],
        ("identify_company", {"id": "acme", "traits": {"mrr": 50}}),
    ),
    "an event of the day before": (
        {"audience_filters": [{"field": "event:ping", "operator": "gte", "value": 1}]},
        [("identify", {"user_id": "b", "traits": {}})],
        ("track", {"user_id": "b", "event": "ping", "timestamp": "2026-05-30T12:00:00Z"}),
    ),
    "events of a session": (
        {"audience_filters": [{"field": "event:ping", "operator": "gte", "value": 1}]},
        [
            ("identify", {"user_id": "b", "traits": {}}),
            ("track", {"session_id": "z", "event": "ping"}),
        ],
        ("identify", {"user_id": "b", "traits": {}, "session_id": "z"}),
    ),
    "a pause that is over": (
        {},
        [
            ("identify", {"user_id": "c", "traits": {}}),
            ("pause", "s"),
            ("identify", {"user_id": "b", "traits": {"plan": "pro"}}),
        ],
        ("resume", "s"),
    ),
    "a delay that is shorter": (
        {
            "settings": {
                "reenroll_enabled": True,
                "reenroll_delay_days": 30,
                "exit_rules": ["segment_leave"],
            }
        },
        COMES_BACK,
        ("save", {"s": {"settings": {"reenroll_delay_days": None}}}),
    ),
    "a run that ends after its contact was outside": (
        {"settings": {"reenroll_enabled": True}},
        COMES_BACK,
        ("remove", {"contact": "b", "series": "s"}),
    ),
}


@pytest.mark.parametrize("cause", FREED)
def test_a_contact_whom_a_guard_refused_enters_at_the_next_pass_once_it_does_not(
    cause: str, shared_database: Engine, tmp_path: Path
) -> None:
    """However that comes about; the pass is a narrow one."""
    definition, beginning, (name, value) = FREED[cause]
    series = {**PRO, **definition, "kind": "transactional"}
    written = {"scenario": cause, "start": FIRST, "org": {}, "series": {"s": series}}
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(written), encoding="utf-8")
    with open_sandbox(read_scenario(tmp_path / "scenario.yaml"), shared_database) as sandbox:

        def runs() -> int:
            contact = automation_enrollments.join(
                end_users,
                and_(
                    end_users.c.org_id == automation_enrollments.c.org_id,
                    end_users.c.id == automation_enrollments.c.end_user_id,
                ),
            )
            counted = select(func.count()).select_from(contact)
            return sandbox.perform(
                lambda work: work.connection.execute(
                    counted.where(end_users.c.org_id == work.org_id, end_users.c.external_id == "b")
                ).scalar_one()
            )

        play(sandbox, "activate", "s")
        for action in beginning:
            play(sandbox, *action)
        play(sandbox, "at", "2026-06-01T12:15:00Z")
        before = runs()
        fully = sandbox.perform(lambda work: work.org.passed_fully_at)
        assert fully is not None
        play(sandbox, name, value)
        assert runs() == before
        play(sandbox, "at", "2026-06-01T12:30:00Z")
        assert runs() == before + 1
        assert sandbox.perform(lambda work: work.org.passed_fully_at) == fully
