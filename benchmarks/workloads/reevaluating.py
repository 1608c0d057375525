"""W11: a full pass over all ``segment_match`` series, a few contacts newly matching."""

from collections.abc import Iterator

from benchmarks.ground import Crowd, Ground, segment
from benchmarks.measuring import Side, alternate
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size

_SERIES = 20
_NEW_EACH = 5
#: So much of each series' audience is enrolled already.
_KNOWN_EACH = 500

_ENROLL_KNOWN = """
INSERT INTO automation_enrollments (org_id, automation_id, end_user_id, number, created_at)
SELECT org_id, %(series)s, id, 1, now() FROM end_users
WHERE org_id = %(org)s AND custom_fields ->> 'team' = %(team)s
ORDER BY created_at, id OFFSET %(new)s
"""
_JOIN_TEAMS = """
UPDATE end_users SET custom_fields = custom_fields || jsonb_build_object('team', 't' || n %% %(s)s)
FROM (SELECT id AS chosen, row_number() OVER (ORDER BY created_at, id) AS n FROM end_users
      WHERE org_id = %(org)s AND custom_fields ->> 'role' = 'owner') AS numbered
WHERE org_id = %(org)s AND id = chosen AND n <= %(teams)s
"""
_PASS = """
INSERT INTO signals (org_id, kind, happened_at, created_at)
VALUES (%(org)s, 'reevaluated', now(), now())
"""


class Pass:
    """Twenty series; all but a few contacts of their audiences are enrolled."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        known = min(_KNOWN_EACH, crowd.contacts // 200)
        crowd.run(_JOIN_TEAMS, s=_SERIES, teams=_SERIES * (known + _NEW_EACH))
        self._series = []
        for number in range(_SERIES):
            key = f"w11-{number}"
            definition = segment(("role", "is", "owner"), ("custom:team", "is", f"t{number}"))
            self._series.append(crowd.draft(key, **definition))
            crowd.activate(key)
        crowd.rest("end_users")

    def prepare(self) -> None:
        """Enroll all but the new contacts, and write the signal of a pass."""
        self._crowd.clear()
        for number, series in enumerate(self._series):
            self._crowd.set_up(_ENROLL_KNOWN, series=series, team=f"t{number}", new=_NEW_EACH)
        self._crowd.run(_PASS)
        self._crowd.rest("automation_enrollments", "automation_recipients")

    def engine(self) -> None:
        """Handle the pass, and enroll the contacts that newly match."""
        self._crowd.settle()
        entered = self._crowd.run("SELECT count(*) FROM automation_recipients")
        assert entered == [(_SERIES * _NEW_EACH,)], entered

    def floor(self) -> None:
        """Count who matches each of the predicates, in one scan."""
        counts = ", ".join(
            "count(*) FILTER (WHERE custom_fields ->> 'role' = 'owner'"
            f" AND custom_fields ->> 'team' = 't{number}')"
            for number in range(_SERIES)
        )
        self._crowd.run(f"SELECT {counts} FROM end_users WHERE org_id = %(org)s")


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare with one bare scan that evaluates the same predicates."""
    for contacts in size.crowds:
        crowd = ground.crowd(contacts, "pass")
        one = Pass(crowd)
        sides = [Side(one.prepare, one.engine), Side(one.prepare, one.floor)]
        taken = alternate(sides, size.rounds)
        yield Row(
            workload="W11",
            what=f"re-evaluate {_SERIES} series",
            size=contacts,
            of="contacts",
            engine=taken.seconds(0),
            against=taken.seconds(1),
            compared_with="one bare scan",
            ratio=taken.ratio(0, 1),
            target=Target(1.5) if contacts == size.contacts else None,
            note=f"{_SERIES * _NEW_EACH} newly matching",
        )
        ground.drop(crowd)
