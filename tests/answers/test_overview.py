"""The counts of several series at once (contract §17)."""

from itertools import product

from sqlalchemy import insert

from halo_engine.answers.reports.funnel import funnel
from halo_engine.answers.reports.overview import count_some
from halo_engine.tables import automation_enrollments
from tests.answers.sandbox import BY_PLAN, Sandbox
from tests.contacts.sandbox import statements


def test_a_contact_that_converted_in_several_runs_is_counted_once(sandbox: Sandbox) -> None:
    """Whichever of three runs converted: as the funnel counts, and by one statement more."""
    names = [f"c{number}" for number in range(8)]
    sandbox.pro(*names)
    sandbox.series(active=False, **BY_PLAN, settings={"reenroll_enabled": True})
    series = sandbox.saved()
    runs = automation_enrollments
    now = sandbox.work.now
    sandbox.work.connection.execute(
        insert(runs),
        [
            {
                "org_id": sandbox.work.org_id,
                "automation_id": series.id,
                "end_user_id": sandbox.ids[name],
                "number": number,
                "created_at": now,
                "ended_at": None if number == 3 else now,
                "exit_reason": None if number == 3 else "completed",
                "converted_at": now if has_converted else None,
            }
            for name, converted in zip(names, product([True, False], repeat=3), strict=True)
            for number, has_converted in enumerate(converted, start=1)
        ],
    )
    with statements(sandbox.work.connection) as seen:
        [counted] = count_some(sandbox.work, [series.key, "gone"])
    assert len(seen) == 4
    found = funnel(sandbox.work, series)
    assert (counted.entered, counted.converted) == (found.enrolled, found.converted) == (8, 7)
    assert counted.active == found.active == 8
