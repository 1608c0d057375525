"""W11: a pass over everybody, a few contacts newly matching. W18: a narrow one, when only time
passed.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

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
        yield _beside_one_scan(
            sides,
            size,
            contacts,
            bound=1.5,
            workload="W11",
            what=f"re-evaluate {_SERIES} series",
            note=f"{_SERIES * _NEW_EACH} newly matching",
        )
        ground.drop(crowd)


def _beside_one_scan(
    sides: Sequence[Side], size: Size, contacts: int, bound: float, **said: Any
) -> Row:
    """Time a pass beside one bare scan; the target is for the largest crowd alone."""
    taken = alternate(sides, size.rounds)
    return Row(
        size=contacts,
        of="contacts",
        engine=taken.seconds(0),
        against=taken.seconds(1),
        compared_with="one bare scan",
        ratio=taken.ratio(0, 1),
        target=Target(bound) if contacts == size.contacts else None,
        **said,
    )


#: Of so many of the series one filter compares a date that moves with the clock.
_MOVING = 3
_PAST = "14 minutes"
#: A third of the contacts have each date; so many an hour pass the bound of a filter.
_SET_DATES = """
UPDATE end_users SET
  signed_up_at = now() - n %% 40000 * interval '1 hour',
  renewal_date = now() + n %% 40000 * interval '1 hour',
  custom_fields = custom_fields || jsonb_build_object(
    'trial_ends', to_char(now() + n %% 40000 * interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SSOF'))
FROM (SELECT id AS chosen, row_number() OVER (ORDER BY created_at, id) AS n FROM end_users
      WHERE org_id = %(org)s) AS numbered
WHERE org_id = %(org)s AND id = chosen AND n %% 3 = 0
"""
_MOVES = (
    ("signed_up_at", "after", "-30d"),
    ("renewal_date", "before", "+30d"),
    ("custom:trial_ends", "before", "+3d"),
)
_NARROW_PASS = f"""
WITH noted AS (
  INSERT INTO pass_notes (org_id, since) VALUES (%(org)s, now() - interval '{_PAST}')
)
INSERT INTO signals (org_id, kind, happened_at, created_at, cursor)
VALUES (%(org)s, 'reevaluated', now(), now(), '{{"narrow": true}}')
"""


class Narrow:
    """Twenty series, three of which compare dates with bounds that move; nobody changed since the
    pass before, a quarter of an hour ago.
    """

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        crowd.run(_SET_DATES)
        crowd.run(_JOIN_TEAMS, s=_SERIES, teams=crowd.contacts // 10)
        for number in range(_SERIES):
            key = f"w18-{number}"
            filters = [("role", "is", "owner"), ("custom:team", "is", f"t{number}")]
            if number < _MOVING:
                filters.append(_MOVES[number])
            crowd.draft(key, **segment(*filters))
            crowd.activate(key)
        crowd.run("VACUUM FULL end_users")
        crowd.rest("end_users")
        # Whoever matches enters, and a pass over everybody comes first.
        crowd.settle()
        crowd.run(_PASS)
        crowd.settle()
        crowd.rest("automation_enrollments", "automation_recipients")

    def prepare(self) -> None:
        """Write the signal of a narrow pass."""
        self._crowd.run(_NARROW_PASS)

    def rest(self) -> None:
        """Leave no signal to the floor."""
        self._crowd.run("DELETE FROM signals; DELETE FROM pass_notes")

    def engine(self) -> None:
        """Handle the pass."""
        self._crowd.settle()

    def floor(self) -> None:
        """Count who matches each of the predicates, in one scan."""
        moves = [
            "signed_up_at >= now() - interval '30 days'",
            "renewal_date < now() + interval '30 days'",
            "(custom_fields ->> 'trial_ends') < %(soon)s",
        ]
        counts = ", ".join(
            "count(*) FILTER (WHERE custom_fields ->> 'role' = 'owner'"
            f" AND custom_fields ->> 'team' = 't{number}'"
            f"{f' AND {moves[number]}' if number < _MOVING else ''})"
            for number in range(_SERIES)
        )
        soon = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%dT%H:%M:%S+00}"
        self._crowd.run(f"SELECT {counts} FROM end_users WHERE org_id = %(org)s", soon=soon)


def narrow(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare a narrow pass with one bare scan that evaluates the same predicates."""
    for contacts in size.crowds:
        crowd = ground.crowd(contacts, "narrow")
        one = Narrow(crowd)
        sides = [Side(one.prepare, one.engine), Side(one.rest, one.floor)]
        yield _beside_one_scan(
            sides,
            size,
            contacts,
            bound=0.3,
            workload="W18",
            what=f"re-evaluate {_SERIES} series after {_PAST}",
            note=f"{_MOVING} with relative dates; only time passed",
        )
        ground.drop(crowd)
