"""W2 and W12: rows that are due, in one series and in many, and beside a large backlog."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from benchmarks import sql
from benchmarks.ground import Crowd, Ground
from benchmarks.measuring import Side, alternate
from benchmarks.processes.workers import running_workers
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size

_MANY = 100
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

GATE_THEN_EMAIL = {
    "entry_trigger": "user_created",
    "steps": [
        {"key": "gate", "condition": {"type": "user_property", "value": "consent=yes"}},
        {"key": "later", "delay": "1d", "email": {"subject": "Later", "body": "Later"}},
    ],
}


def contact_window() -> dict[str, Any]:
    """Return a window of the contact's clock that is open but for one minute of the day, which no
    contact's clock shows within the next ten.
    """
    # Clocks differ by whole hours and half ones.
    shut = datetime.now(UTC) + timedelta(minutes=20)
    opens = shut + timedelta(minutes=1)
    times = {"from": f"{opens:%H:%M}", "to": f"{shut:%H:%M}"}
    return {"days": [*_DAYS], **times, "timezone": "contact"}


class Due:
    """Rows due at the condition of one series, or dealt out to several."""

    def __init__(
        self, crowd: Crowd, due: int, series: int, definition: Mapping[str, Any] = GATE_THEN_EMAIL
    ) -> None:
        self.crowd = crowd
        self.rows = due
        self._series: Sequence[UUID] = [
            crowd.draft(f"w2-{series}-{number}", **definition) for number in range(series)
        ]
        for number in range(series):
            crowd.activate(f"w2-{series}-{number}")

    def prepare(self) -> None:
        """Place the runs anew, each with its row due."""
        self.crowd.clear()
        self.crowd.set_up(*sql.DUE, due=self.rows, series=self._series)
        self.crowd.rest("automation_enrollments", "automation_recipients")

    def engine(self) -> None:
        """Tick until nothing is due."""
        self.crowd.tick()
        self.check()

    def floor(self) -> None:
        """Finish the rows and place those that follow."""
        self.crowd.run(sql.ADVANCE)

    def check(self) -> None:
        """Assert that each row was done once, and is followed by a pending one."""
        counted = """
            SELECT count(*) FILTER (WHERE status = 'completed'),
                   count(*) FILTER (WHERE status = 'pending' AND scheduled_for > now()), count(*)
            FROM automation_recipients"""
        assert self.crowd.run(counted) == [(self.rows, self.rows, 2 * self.rows)]


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare with one ``UPDATE … RETURNING`` that feeds an ``INSERT``; then many with one."""
    for due in sorted({size.due // 10, size.due}):
        one = Due(ground.crowd(size.due, "one"), due, 1)
        many = Due(ground.crowd(size.due, "many"), due, _MANY)
        sides = [Side(each.prepare, each.engine) for each in (one, many)]
        sides.append(Side(one.prepare, one.floor))
        taken = alternate(sides, size.rounds)
        is_full = due == size.due
        yield Row(
            workload="W2",
            what="tick",
            size=due,
            of="due rows",
            engine=taken.seconds(0),
            against=taken.seconds(2),
            compared_with="UPDATE feeding INSERT",
            ratio=taken.ratio(0, 2),
            target=Target(1.75) if is_full else None,
            note=f"{due / taken.seconds(0):,.0f} rows/s",
        )
        yield Row(
            workload="W2",
            what=f"tick, {_MANY} series",
            size=due,
            of="due rows",
            engine=taken.seconds(1),
            against=taken.seconds(0),
            compared_with="one series",
            ratio=taken.ratio(1, 0),
            target=Target(1.25) if is_full else None,
        )
        if is_full:
            yield _two_workers(one, size)
            yield _limited(ground, size)
        ground.drop(one.crowd)
        ground.drop(many.crowd)


def _two_workers(due: Due, size: Size) -> Row:
    """Let two workers tick at once, and compare with one; no row is done twice."""
    shares: dict[int, list[int]] = {}
    with running_workers(due.crowd, 2) as workers:

        def tick(number: int) -> None:
            workers.tick(number)
            due.check()
            done = [row for rows in workers.finished for row in rows]
            assert len(done) == len(set(done)) == due.rows
            shares[number] = [len(rows) for rows in workers.finished]

        sides = [Side(due.prepare, partial(tick, number)) for number in (1, 2)]
        taken = alternate(sides, size.rounds)
    return Row(
        workload="W2",
        what="tick, two workers",
        size=due.rows,
        of="due rows",
        engine=taken.seconds(1),
        against=taken.seconds(0),
        compared_with="one worker",
        ratio=taken.ratio(1, 0),
        target=Target(1.0),
        details={"shares": shares[2], "rounds": taken.rounds},
    )


def _limited(ground: Ground, size: Size) -> Row:
    """Compare marketing with two caps and a window of each contact's clock with the same without
    both.
    """
    crowds = [ground.crowd(size.due, name) for name in ("limited", "free")]
    for crowd in crowds:
        crowd.run(sql.MAY_SEND)
        crowd.run(sql.ZONES)
    crowds[0].run(sql.CAPS)
    marketing: Mapping[str, Any] = {**GATE_THEN_EMAIL, "kind": "marketing"}
    zoned = {**marketing, "settings": {"send_window": contact_window()}}
    on, off = (
        Due(crowd, size.due, 1, definition)
        for crowd, definition in zip(crowds, (zoned, marketing), strict=True)
    )
    taken = alternate([Side(each.prepare, each.engine) for each in (on, off)], size.rounds)
    for crowd in crowds:
        ground.drop(crowd)
    return Row(
        workload="W2",
        what="tick, two caps and contacts' zones",
        size=size.due,
        of="due rows",
        engine=taken.seconds(0),
        against=taken.seconds(1),
        compared_with="without",
        ratio=taken.ratio(0, 1),
        target=Target(1.15),
    )


def fairness(ground: Ground, size: Size) -> Iterator[Row]:
    """W12: count the batches until one row is handled that comes after a large backlog."""
    crowd = ground.crowd(size.backlog, "backlog")
    backlog = Due(crowd, size.backlog, 1)
    backlog.prepare()
    welcome = crowd.draft("welcome", **GATE_THEN_EMAIL)
    crowd.activate("welcome")
    crowd.set_up(
        sql.DUE[0].replace("ORDER BY created_at, id", "ORDER BY created_at DESC, id"),
        sql.DUE[1] + " AND e.automation_id = ANY(%(series)s)",
        due=1,
        series=[welcome],
    )
    crowd.run(
        "UPDATE automation_recipients SET scheduled_for = now() WHERE automation_id = %(w)s",
        w=welcome,
    )
    waits = (
        "SELECT count(*) FROM automation_recipients r JOIN automation_steps s"
        " ON s.org_id = r.org_id AND s.id = r.step_id"
        " WHERE r.automation_id = %(w)s AND s.position = 0 AND r.status = 'pending'"
    )
    batches = 0
    for _ in crowd.engine.tick(crowd.org_id):
        batches += 1
        if crowd.run(waits, w=welcome) == [(0,)]:
            break
    ground.drop(crowd)
    yield Row(
        workload="W12",
        what="until a welcome row behind a backlog is handled",
        size=size.backlog,
        of="due rows",
        engine=batches,
        against=1,
        compared_with="at best",
        ratio=batches,
        target=Target(2),
        unit="batches",
    )
