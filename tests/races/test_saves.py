"""Saving a series while others save it, and while workers advance it (contract §18)."""

from collections.abc import Callable
from typing import Any, Final

from halo_engine.domain.errors import Refusal
from halo_engine.doors.table import DOORS
from halo_engine.operators.origin import Origin, Via
from halo_engine.series.files.tokens import plan_token
from halo_engine.series.save import parse_definition
from halo_engine.work import OrgRef
from tests.races.ground import users
from tests.races.rounds import EMAIL, ENTERED, Race, Round
from tests.races.track import Track

SAVED: Final = "saved"
#: Whatever races: versions follow each other, and the series is as the last one says.
WHOLE: Final = {
    "versions have neither gap nor double": """
        SELECT a.org_id, a.version FROM automations a WHERE ARRAY(
            SELECT v.version FROM automation_versions v
            WHERE v.org_id = a.org_id AND v.automation_id = a.id ORDER BY v.version
        ) <> ARRAY(SELECT generate_series(1, a.version))""",
    "the series is as its last version says": """
        SELECT a.org_id, a.version FROM automations a
        JOIN automation_versions v
        ON v.org_id = a.org_id AND v.automation_id = a.id AND v.version = a.version
        WHERE ARRAY(
            SELECT s.key FROM automation_steps s
            WHERE s.org_id = a.org_id AND s.automation_id = a.id AND s.removed_at IS NULL
            ORDER BY s.position
        ) <> ARRAY(SELECT step->>'key' FROM jsonb_array_elements(v.definition->'steps') step)""",
}


def mail(key: str, delay: str) -> dict[str, Any]:
    """Return a step that sends a mail."""
    return {"key": key, "delay": delay, "email": {"subject": key, "body": key}}


FIRST: Final[dict[str, Any]] = {**ENTERED, "steps": [EMAIL, mail("later", "2d")]}
#: What two operators make of it: neither has a step of the other.
ONE: Final[dict[str, Any]] = {**ENTERED, "steps": [EMAIL, mail("one", "1d"), mail("one-too", "1d")]}
OTHER: Final[dict[str, Any]] = {**ENTERED, "steps": [mail("other", "3d"), mail("other-too", "1d")]}
SOONER: Final[dict[str, Any]] = {**ENTERED, "steps": [EMAIL, mail("later", "1h")]}


def saving(definition: dict[str, Any], **how: Any) -> Callable[[Round], str]:
    """Return the operator who saves, and what that comes to: ``SAVED``, or why it is refused."""
    door = DOORS["series.save"]
    call = door.read({"series": "s", "definition": definition, **how})

    def save(each: Round) -> str:
        try:
            door.run(each.engine, OrgRef(id=each.org_id), call, Origin("operator", Via.COMMAND))
        except Refusal as refusal:
            return refusal.code
        return SAVED

    return save


def keys(each: Round, version: int) -> list[str]:
    """Return the keys of the steps that a version has."""
    query = f"""
        SELECT step->>'key'
        FROM automation_versions, jsonb_array_elements(definition->'steps') step
        WHERE org_id = :org AND version = {version}"""
    return [key for (key,) in each.read(query)]


def test_of_two_saves_at_once_one_wins_whole(track: Track) -> None:
    """Two operators save what they made of one version: one is saved, the other is told."""
    race = Race(track, users(*"ab"), {"s": FIRST})
    race.place("s", "hi", "a")
    for each, results in race.rounds(saving(ONE, version=1), saving(OTHER, version=1)):
        assert sorted(results) == ["changed_meanwhile", SAVED]
        winner = ONE if results[0] == SAVED else OTHER
        assert keys(each, 2) == [step["key"] for step in winner["steps"]]
        assert each.read("SELECT version FROM automations WHERE org_id = :org") == [(2,)]
    race.judge(WHOLE)


def test_a_plan_is_saved_whole_or_not_at_all_beside_another_save(track: Track) -> None:
    """A save by a plan's token races one that looks at no version: it is version 2, or refused."""
    race = Race(track, users(*"ab"), {"s": FIRST})
    token = plan_token({"s": 1}, {"s": parse_definition("s", ONE)})
    for each, (planned, plain) in race.rounds(saving(ONE, plan=token), saving(OTHER)):
        assert plain == SAVED
        assert planned in (SAVED, "plan_outdated")
        if planned == SAVED:
            assert {keys(each, 2)[-1], keys(each, 3)[-1]} == {"one-too", "other-too"}
            assert keys(each, 2)[-1] == "one-too"
        else:
            assert keys(each, 2)[-1] == "other-too"
            assert keys(each, 3) == []
    race.judge(WHOLE)


def test_a_reschedule_beside_workers_leaves_no_row_at_its_old_time(track: Track) -> None:
    """While a worker moves contacts on to a step, a save shortens its delay and reschedules: each
    has one row there, by the new delay, whoever came first.
    """
    race = Race(track, users(*"abcd"), {"s": FIRST})
    race.place("s", "hi", "a", "b")
    race.place("s", "later", "c")
    settling = Round.settle
    for _, (saved, *_) in race.rounds(saving(SOONER, version=1, reschedule=True), settling):
        assert saved == SAVED
    race.judge(
        {
            **WHOLE,
            "each waits once, or is through": """
                SELECT org_id, end_user_id, count(*) FROM automation_recipients
                WHERE status = 'pending' GROUP BY 1, 2 HAVING count(*) > 1""",
            "nobody waits by the old delay": """
                SELECT r.org_id, r.id FROM automation_recipients r
                JOIN automation_steps s ON s.org_id = r.org_id AND s.id = r.step_id
                WHERE r.status = 'pending' AND s.key = 'later'
                AND r.scheduled_for > r.created_at + interval '1 hour'
                AND r.scheduled_for > now()""",
        }
    )
