"""The door that releases whoever a surge holds, or discards them (contract §19)."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from halo_engine.domain.answer import Answer
from halo_engine.domain.roles import Role
from halo_engine.doors.acts import Flow
from halo_engine.doors.calls import SeriesCall
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.trails import About, the_series
from halo_engine.engine import Engine
from halo_engine.enrollment.releasing import discard_everybody, release_held
from halo_engine.operators.origin import Origin
from halo_engine.work import OrgRef, Transact, Work


class ReleaseCall(SeriesCall):
    """A series whose surge holds contacts; with ``discard`` they are let go for good."""

    discard: bool = False


class ReleasedContacts(Answer):
    """How many entered, how many the guards refused, by their codes, and how many were discarded.

    Nobody is held any more.
    """

    series: str
    entered: int
    refused: Mapping[str, int]
    discarded: int


def release(transact: Transact, call: ReleaseCall) -> ReleasedContacts:
    """Release whoever is held in a series, in order of arrival, or discard them (contract §19).

    They are released page by page, each in a transaction; after an interruption, releasing again
    goes on. Raises 409 unless the series is active.
    """
    if call.discard:
        return transact(partial(_discard, call=call))
    entered, refused, unfinished = 0, Counter[str](), True

    def page(work: Work) -> ReleasedContacts:
        nonlocal unfinished
        released = release_held(work, call.series)
        unfinished = released.unfinished
        codes = Counter({each.code: each.count for each in released.admissions})
        return _answer(call, codes.pop(None, 0), codes)

    while unfinished:
        answer = transact(page)
        entered, refused = entered + answer.entered, refused + Counter(answer.refused)
    return _answer(call, entered, refused)


def _answer(
    call: ReleaseCall, entered: int, refused: Mapping[Any, int], discarded: int = 0
) -> ReleasedContacts:
    return ReleasedContacts(
        series=call.series, entered=entered, refused=dict(refused), discarded=discarded
    )


def _discard(work: Work, call: ReleaseCall) -> ReleasedContacts:
    return _answer(call, 0, {}, discard_everybody(work, call.series))


def _release(engine: Engine, org: OrgRef, call: ReleaseCall, _: Origin) -> ReleasedContacts:
    return release(partial(engine.perform, org), call)


DOORS: Final[tuple[AnyDoor, ...]] = (
    Door(
        "series.release",
        "Let those whom a surge holds enter, in order of arrival, or discard them.",
        ReleaseCall,
        ReleasedContacts,
        Role.EDITOR,
        Flow(_release),
        About(the_series, says=("discard",), answers=("entered", "refused", "discarded")),
    ),
)
