"""Gates that open early while their event fires, their delay ends and operators act (§21)."""

from contextlib import suppress
from typing import Any, Final

from sqlalchemy import text

from halo_engine.domain.errors import Refusal
from halo_engine.series.lifecycle import pause, resume
from tests.races.ground import users
from tests.races.rounds import EMAIL, ENTERED, Race, Round, telling
from tests.races.track import Track

_GATE: Final = {
    "key": "paid",
    "delay": "1d",
    "condition": {"type": "event_fired", "value": "paid", "early": True},
}
_SERIES: Final[dict[str, Any]] = {**ENTERED, "steps": [_GATE, EMAIL]}
_LOG: Final = """
    CREATE TABLE log (org_id uuid, row_id bigint);
    CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO log VALUES (NEW.org_id, NEW.id); RETURN NEW; END $$;
    CREATE TRIGGER rows_logged AFTER UPDATE ON automation_recipients
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION log_row();
"""
_RUNS: Final = """
    SELECT r.org_id, c.external_id, r.exit_reason, count(m.recipient_id) AS mails
    FROM automation_enrollments r
    JOIN end_users c ON c.org_id = r.org_id AND c.id = r.end_user_id
    LEFT JOIN messages m ON m.org_id = r.org_id AND m.end_user_id = r.end_user_id
    GROUP BY r.org_id, c.external_id, r.exit_reason
"""
#: Whose event fired before the delay was over got the mail, once.
_LET_THROUGH: Final = f"""
    SELECT org_id, external_id FROM ({_RUNS}) AS runs
    WHERE external_id = 'waits' AND (exit_reason IS DISTINCT FROM 'completed' OR mails <> 1)
"""


def _race(track: Track, *due: str) -> Race:
    race = Race(track, users("waits", *due), {"s": _SERIES})
    race.first.tell(["waits"])
    if due:
        race.place("s", "paid", *due)
    with track.database.begin() as connection:
        connection.execute(text(_LOG))
    return race


def test_event_and_due_gate_at_once_open_it_once(track: Track) -> None:
    """Eight workers meet at an event and a due gate: it is decided once, and the run goes on only
    if the event came first. A gate that is not due opens once.
    """
    race = _race(track, "due")
    race.play(telling(["due", "waits"], "paid"), *[Round.tick] * 7)
    race.judge(
        {
            "a row is finished once": """
                SELECT org_id, row_id FROM log GROUP BY org_id, row_id HAVING count(*) > 1""",
            "who waited is let through": _LET_THROUGH,
            "a mail follows an open gate alone": f"""
                SELECT org_id, external_id FROM ({_RUNS}) AS runs WHERE external_id = 'due'
                AND mails <> CASE exit_reason WHEN 'completed' THEN 1
                    WHEN 'condition_not_met' THEN 0 ELSE -1 END""",
        }
    )


def test_no_event_is_lost_between_a_pause_and_a_resume(track: Track) -> None:
    """An event that fires while operators pause and resume the series opens the gate, once."""

    def operate(each: Round) -> None:
        for act in (pause, resume):
            with suppress(Refusal):
                each.perform(lambda work, act=act: act(work, "s", "operator"))  # type: ignore[misc]
        each.settle()

    race = _race(track)
    race.play(telling(["waits"], "paid"), operate)
    race.judge({"who waited is let through": _LET_THROUGH})
