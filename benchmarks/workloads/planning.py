"""W16: what a save would do to everybody in a series, and moving all of their rows."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from benchmarks.ground import Crowd, Ground
from benchmarks.measuring import Side, alternate
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from halo_engine.answers.plans.fate_names import FateName
from halo_engine.answers.plans.plan import plan
from halo_engine.series.save import parse_definition, save_series

_KEY: Final = "w16"


def _definition(delay: str, least: int, below: int) -> Mapping[str, Any]:
    return {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [
            {"field": "custom:score", "operator": "gte", "value": least},
            {"field": "custom:score", "operator": "lt", "value": below},
        ],
        "settings": {
            "exit_rules": ["segment_leave", "filter_match"],
            "exit_filters": [{"field": "role", "operator": "is", "value": "owner"}],
        },
        "steps": [{"key": "hi", "delay": delay, "email": {"subject": "Hi", "body": "Hi"}}],
    }


_RUNS: Final = (
    """
    INSERT INTO automation_enrollments (org_id, automation_id, end_user_id, number, created_at)
    SELECT %(org)s, %(series)s, id, 1, now() - interval '2 hours'
    FROM (SELECT id FROM end_users
          WHERE org_id = %(org)s AND (custom_fields ->> 'score')::int < 500
          ORDER BY created_at, id LIMIT %(active)s) AS chosen
    """,
    """
    INSERT INTO automation_recipients (org_id, automation_id, step_id, end_user_id,
                                       enrollment_number, scheduled_for, created_at)
    SELECT e.org_id, e.automation_id, s.id, e.end_user_id, 1,
           e.created_at + interval '3 days' - e.id %% 1000 * interval '1 second',
           e.created_at - e.id %% 1000 * interval '1 second'
    FROM automation_enrollments e JOIN automation_steps s
      ON s.org_id = e.org_id AND s.automation_id = e.automation_id AND s.position = 0
    WHERE e.org_id = %(org)s
    """,
)
#: Everybody once: of whom is in, what the exit rules ask; of whom is outside, both audiences.
_SCAN: Final = """
SELECT r.id IS NOT NULL AS is_in,
       count(*) FILTER (WHERE NOT ((c.custom_fields ->> 'score')::numeric >= 50
                                   AND (c.custom_fields ->> 'score')::numeric < 505)),
       count(*) FILTER (WHERE c.custom_fields ->> 'role' = 'owner'),
       count(*) FILTER (WHERE s.address IS NOT NULL),
       count(*) FILTER (WHERE r.created_at + interval '1 day' <> r.scheduled_for),
       min(r.scheduled_for), max(r.scheduled_for),
       count(*) FILTER (WHERE (c.custom_fields ->> 'score')::numeric >= 0
                              AND (c.custom_fields ->> 'score')::numeric < 500)
FROM end_users c
LEFT JOIN automation_recipients r
  ON r.org_id = c.org_id AND r.end_user_id = c.id AND r.automation_id = %(series)s
     AND r.status IN ('pending', 'processing')
LEFT JOIN suppressions s ON s.org_id = c.org_id AND s.address = c.address
WHERE c.org_id = %(org)s
GROUP BY 1
"""
_UPDATE: Final = """
UPDATE automation_recipients SET scheduled_for = created_at + interval '1 day'
WHERE org_id = %(org)s AND automation_id = %(series)s AND status = 'pending'
"""


class Live:
    """A series that half of the contacts are in, with a row each that is days away."""

    def __init__(self, crowd: Crowd, active: int) -> None:
        self._crowd = crowd
        self._active = active
        self._series = crowd.draft(_KEY, **_definition("3d", 0, 500))
        crowd.activate(_KEY)

    def prepare(self) -> None:
        """Place the runs anew, and take back what was saved."""
        crowd, first = self._crowd, parse_definition(_KEY, _definition("3d", 0, 500))
        crowd.perform(lambda work: save_series(work, _KEY, first))
        crowd.clear()
        crowd.set_up(*_RUNS, series=self._series, active=self._active)
        crowd.rest("automation_enrollments", "automation_recipients")

    def plan(self) -> None:
        """Say what another audience and another delay would do."""
        then = parse_definition(_KEY, _definition("1d", 50, 505))
        found = self._crowd.perform(lambda work: plan(work, _KEY, then, reschedule=True))
        fates = {each.fate: each.contacts for each in found.fates}
        assert set(fates) == {FateName.EXITS, FateName.RESCHEDULED}, fates
        assert sum(fates.values()) == self._active
        assert found.outside.matched_before == 0
        assert found.outside.would_enter > 0

    def scan(self) -> None:
        """Evaluate the same predicates."""
        self._crowd.run(_SCAN, series=self._series)

    def reschedule(self) -> None:
        """Save another delay, and move every row."""
        then = parse_definition(_KEY, _definition("1d", 0, 500))
        saved = self._crowd.perform(lambda work: save_series(work, _KEY, then, reschedule=True))
        assert saved.rescheduled == self._active

    def update(self) -> None:
        """Move every row."""
        self._crowd.run(_UPDATE, series=self._series)


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare a plan with one bare scan, and a reschedule with the bare ``UPDATE``."""
    crowd = ground.crowd(2 * size.due, "plan")
    live = Live(crowd, size.due)
    for what, engine, floor, said, target in (
        ("plan", live.plan, live.scan, "one bare scan", 1.5),
        ("reschedule", live.reschedule, live.update, "bare UPDATE", 1.75),
    ):
        sides = [Side(live.prepare, engine), Side(live.prepare, floor)]
        taken = alternate(sides, size.rounds)
        yield Row(
            workload="W16",
            what=what,
            size=size.due,
            of="active recipients",
            engine=taken.seconds(0),
            against=taken.seconds(1),
            compared_with=said,
            ratio=taken.ratio(0, 1),
            target=Target(target),
        )
    ground.drop(crowd)
