"""The door that releases whoever a surge holds, or discards them (contract §19)."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic.config import JsonDict

from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import in_its_place
from halo_engine.domain.roles import Role
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.domain.times.surges import Pace
from halo_engine.domain.times.written_limits import read_pace
from halo_engine.doors.acts import Flow
from halo_engine.doors.calls import SeriesCall
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.trails import About, the_series
from halo_engine.engine import Engine
from halo_engine.enrollment.releasing import (
    Released,
    discard_everybody,
    release_at,
    release_held,
)
from halo_engine.operators.origin import Origin
from halo_engine.series.lifecycle import find_series
from halo_engine.series.surges.held import count_held
from halo_engine.work import OrgRef, Transact, Work


def _read_per(value: object) -> object:
    return read_pace(value) if isinstance(value, str) else value


def _describe_line(schema: JsonDict) -> None:
    """Say in the schema that a pace may be one line, too."""
    kinds = schema["anyOf"]
    assert isinstance(kinds, list)
    kinds.insert(1, {"type": "string", "pattern": r"^[0-9]{1,9}/[0-9]{1,10}[dhms]?$"})


class ReleaseCall(SeriesCall):
    """A series whose surge holds contacts; with ``discard`` they are let go for good.

    ``per`` is at which pace they enter, such as ``500/1h`` or ``{at_most, within}``; without it all
    at once.
    """

    discard: bool = False
    per: Annotated[Pace | None, BeforeValidator(in_its_place(_read_per))] = Field(
        default=None, json_schema_extra=_describe_line
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if self.discard and self.per is not None:
            raise ValueError("whoever is discarded does not enter; give per or discard")
        return self


class ReleasedContacts(Answer):
    """How many entered, how many the guards refused, by their codes, and how many were discarded.

    ``left`` are held still, and enter at the pace that was asked for.
    """

    series: str
    entered: int
    refused: Mapping[str, int]
    discarded: int
    left: int = 0


def release(transact: Transact, call: ReleaseCall) -> ReleasedContacts:
    """Release whoever is held in a series, in order of arrival, or discard them (contract §19).

    They are released page by page, each in a transaction; after an interruption, releasing again
    goes on. At a pace, those enter who may now; ticks release the others. Raises 409 unless the
    series is active.
    """
    if call.discard:
        return transact(partial(_discard, call=call))
    if call.per is not None:
        return transact(partial(_begin, call=call, pace=call.per))
    entered, refused, unfinished = 0, Counter[str](), True

    def page(work: Work) -> ReleasedContacts:
        nonlocal unfinished
        released = release_held(work, call.series)
        unfinished = released.unfinished
        return _answered(call, released)

    while unfinished:
        answer = transact(page)
        entered, refused = entered + answer.entered, refused + Counter(answer.refused)
    return _answer(call, entered, refused)


def _begin(work: Work, call: ReleaseCall, pace: Pace) -> ReleasedContacts:
    released = release_at(work, call.series, pace)
    left = count_held(work, find_series(work, call.series)) if released.unfinished else 0
    return _answered(call, released).model_copy(update={"left": left})


def _answered(call: ReleaseCall, released: Released) -> ReleasedContacts:
    codes = Counter[ReasonCode | None]()
    for each in released.admissions:
        codes[each.code] += each.count
    return _answer(call, codes.pop(None, 0), codes)


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
        About(
            the_series, says=("discard", "per"), answers=("entered", "refused", "discarded", "left")
        ),
    ),
)
