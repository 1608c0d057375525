"""W1: activating a series on everybody who matches already."""

from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import UUID

from benchmarks import sql
from benchmarks.ground import SURGE, Crowd, Ground, segment
from benchmarks.measuring import Side, alternate
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size

OWNERS_ON_PRO = segment(("role", "is", "owner"), ("plan", "is", "pro"))


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare with one ``INSERT … SELECT`` of the same runs, without and with one per company."""
    for contacts in size.crowds:
        targets = (Target(1.3), Target(1.6)) if contacts == size.contacts else (None, None)
        crowd = ground.crowd(contacts)
        yield _row(crowd, size, targets[0], one_per_company=False)
        yield _row(crowd, size, targets[1], one_per_company=True)
    yield _guarded(ground.crowd(size.contacts), size)


class Activation:
    """One way of activating; each run has a draft of its own, in empty tables."""

    _numbers = count(1)

    def __init__(self, crowd: Crowd, *, one_per_company: bool = False, **settings: Any) -> None:
        self._crowd = crowd
        self._settings = {"one_per_company": one_per_company, **settings}
        self._floor = sql.ENROLL_SEATS if one_per_company else sql.ENROLL
        self._key = ""
        self._id: UUID | None = None
        self.written: set[tuple[object, ...]] = set()

    def prepare(self) -> None:
        """Note what the last run wrote, empty the tables, and save a draft."""
        self.look()
        self._crowd.clear()
        self._crowd.run("UPDATE automations SET status = 'completed' WHERE status = 'active'")
        self._key = f"w1-{next(self._numbers)}"
        self._id = self._crowd.draft(self._key, **OWNERS_ON_PRO, settings=self._settings)
        self._crowd.run("CHECKPOINT")

    def engine(self) -> None:
        """Activate, and settle."""
        self._crowd.activate(self._key)
        self._crowd.settle()

    def floor(self) -> None:
        """Insert the same rows."""
        self._crowd.run(self._floor, series=self._id)

    def look(self) -> None:
        """Note the contents of the tables, if there are any."""
        written = self._crowd.run(sql.FINGERPRINT)[0]
        if written[0]:
            self.written.add(written)


def _guarded(crowd: Crowd, size: Size) -> Row:
    """Compare a series with a surge, in which nobody is held, with one without."""
    guarded, free = Activation(crowd, surge=SURGE), Activation(crowd)
    sides = Side(guarded.prepare, guarded.engine), Side(free.prepare, free.engine)
    taken = alternate(sides, size.rounds)
    crowd.clear()
    return Row(
        workload="W1",
        what="activate, with a surge",
        size=crowd.contacts,
        of="contacts",
        engine=taken.seconds(0),
        against=taken.seconds(1),
        compared_with="without",
        ratio=taken.ratio(0, 1),
        target=Target(1.03),
    )


def _row(crowd: Crowd, size: Size, target: Target | None, *, one_per_company: bool) -> Row:
    activation = Activation(crowd, one_per_company=one_per_company)
    sides = Side(activation.prepare, activation.engine), Side(activation.prepare, activation.floor)
    taken = alternate(sides, size.rounds)
    activation.look()
    crowd.clear()
    [(enrolled, *_)] = activation.written  # or the two did not write the same
    return Row(
        workload="W1",
        what="activate, one per company" if one_per_company else "activate",
        size=crowd.contacts,
        of="contacts",
        engine=taken.seconds(0),
        against=taken.seconds(1),
        compared_with="INSERT … SELECT",
        ratio=taken.ratio(0, 1),
        target=target,
        note=f"{enrolled:,} enrolled",
    )
