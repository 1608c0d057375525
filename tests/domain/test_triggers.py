"""Which series a signal triggers, found by the index of running series (contract §2, §4)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from halo_engine.domain.fields.filter_groups import parse_groups
from halo_engine.domain.reasons import (
    AudienceType,
    ContactTypeChoice,
    EntryTrigger,
    SeriesKind,
    SeriesStatus,
)
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.running import RunningSeries
from halo_engine.domain.series.settings import Settings
from halo_engine.domain.series.signals import EVERYTHING, Signal, SignalKind

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
HOURS = [NOON + timedelta(hours=hour) for hour in range(4)]
EVENTS = ("paid", "seen", "*")
#: Fields as filters name them, with the keys whose changes concern them (contract §3).
FIELDS = {
    "plan": {"custom:plan"},
    "custom:plan": {"custom:plan"},
    "lead:plan": {"custom:plan", "contact_type"},
    "role": {"custom:role"},
    "custom:seen": {"custom:seen"},
    "email": {"email"},
    "company.name": {"company.name", "company_id"},
    "company.custom:plan": {"company.custom:plan", "company_id"},
    "stripe:plan": {"stripe:plan"},
    "event:paid": {"event:paid"},
    "event:*": {"event:*"},
}
KEYS = sorted({key for keys in FIELDS.values() for key in keys if "event:" not in key})

filters = st.lists(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=2), max_size=2)
periods = st.lists(
    st.tuples(st.sampled_from(HOURS[:2]), st.none() | st.sampled_from(HOURS[1:])),
    min_size=1,
    max_size=2,
)


def filter_on(field: str) -> dict[str, Any]:
    """Return a filter that names the field; what it compares with does not matter here."""
    number = field.startswith("event:")
    return {"field": field, "operator": "is", "value": 1 if number else "pro"}


def segment(number: int, *groups: Sequence[str]) -> Series:
    """Return an active series for whoever matches groups of filters on these fields."""
    return Series(
        id=UUID(int=number + 1),
        key=f"s{number}",
        status=SeriesStatus.ACTIVE,
        kind=SeriesKind.TRANSACTIONAL,
        entry_trigger=EntryTrigger.SEGMENT_MATCH,
        audience_type=AudienceType.SEGMENT,
        contact_type=ContactTypeChoice.BOTH,
        subscription_id=None,
        audience_filters=parse_groups(
            [[filter_on(field) for field in group] for group in groups], "audience_filters"
        ),
        settings=Settings(),
        steps=(),
    )


@st.composite
def series(draw: st.DrawFn) -> Series:
    """Draw a series that is running: its trigger, its audience, and when it was active."""
    return replace(
        segment(draw(st.integers(0, 2**64)), *draw(filters)),
        status=draw(st.sampled_from((SeriesStatus.ACTIVE, SeriesStatus.PAUSED))),
        entry_trigger=draw(st.sampled_from(EntryTrigger)),
        contact_type=draw(st.sampled_from(ContactTypeChoice)),
        settings=Settings(entry_event_name=draw(st.none() | st.sampled_from(EVENTS))),
        active_periods=tuple(draw(periods)),
    )


@st.composite
def scenes(draw: st.DrawFn) -> tuple[tuple[Series, ...], list[Signal]]:
    """Draw running series, and a batch of signals of few kinds, some of which say the same."""
    running = draw(st.lists(series(), min_size=1, max_size=8, unique_by=lambda each: each.id))
    ids = [each.id for each in running]
    kinds = st.sampled_from(draw(st.lists(st.sampled_from(SignalKind), min_size=1, max_size=3)))
    changes = st.frozensets(st.sampled_from([*KEYS, EVERYTHING]), max_size=2)

    def signal(kind: SignalKind) -> st.SearchStrategy[Signal]:
        of_event, activates = kind is SignalKind.EVENT, kind is SignalKind.ACTIVATED
        return st.builds(
            Signal,
            id=st.just(1),
            kind=st.just(kind),
            contact_id=st.just(UUID(int=1)),
            company_id=st.none(),
            series_id=st.sampled_from(ids) if activates else st.none(),
            changed=changes,
            event_name=st.sampled_from(EVENTS) if of_event else st.none(),
            happened_at=st.sampled_from(HOURS),
            arrived_at=st.sampled_from(HOURS),
            cursor=st.none(),
        )

    batch = st.lists(kinds.flatmap(signal), min_size=1, max_size=10)
    return tuple(running), draw(batch)


def is_triggered(each: Series, signal: Signal) -> bool:
    """Say what the contract says of one series and one signal, without any index."""
    is_active = each.status == "active"
    is_activated = signal.kind == "activated" and signal.series_id == each.id
    match each.entry_trigger.value:
        case "manual":
            return is_active and is_activated
        case "user_created":
            promoted = signal.kind == "promoted" and each.contact_type == "user"
            created = signal.kind == "created" or promoted
            return created and active_at(each, signal.arrived_at)
        case "event":
            fires = each.settings.entry_event_name == signal.event_name
            return signal.kind == "event" and fires and active_at(each, signal.happened_at)
        case _:
            return is_active and (is_activated or may_match_newly(each, signal))


def may_match_newly(each: Series, signal: Signal) -> bool:
    """Say whether §2 or §4 has the contact's audience looked at."""
    named = {item.field for group in each.audience_filters for item in group}
    if signal.kind == "promoted" and each.contact_type == "user":
        return True
    match signal.kind.value:
        case "created" | "promoted" | "changed" | "company_changed":
            keys = signal.changed
            return "*" in keys or any(keys & FIELDS[field] for field in named)
        case "event":
            return any(field.startswith("event:") for field in named)
        case kind:
            return kind == "reevaluated"


def active_at(each: Series, instant: datetime) -> bool:
    """Say whether the instant lies in an active period; the end of one does not."""
    return any(
        began <= instant and (ended is None or instant < ended)
        for began, ended in each.active_periods
    )


@settings(max_examples=120)
@given(scenes())
def test_the_index_finds_whom_the_contract_names(
    scene: tuple[tuple[Series, ...], list[Signal]],
) -> None:
    """The index finds the series that a look at each one would find, in order of creation."""
    running, signals = scene
    naive = [
        tuple(place for place, each in enumerate(running) if is_triggered(each, signal))
        for signal in signals
    ]
    index = RunningSeries(running)
    assert list(index.indexes_triggered(signals)) == naive
    assert [index.triggered_by(signal) for signal in signals] == [
        [running[place] for place in places] for places in naive
    ]


class Watched(tuple[Series, ...]):
    """Series of which it is noted who was looked at, one by one; nobody may look at all of them."""

    looked_at: set[int]

    def __getitem__(self, place: Any) -> Any:
        self.looked_at.add(place)
        return super().__getitem__(place)

    def __iter__(self) -> Iterator[Series]:
        raise AssertionError("all series were looked at")


def test_a_batch_looks_at_no_series_that_it_does_not_concern() -> None:
    """A signal is matched only with the series that name what changed, a run only with its own."""
    fields = ["role", "plan", "role", "company.name", "plan"]
    running = tuple(segment(number, [field]) for number, field in enumerate(fields))
    index = RunningSeries(running)
    changed = Signal(
        1,
        SignalKind.CHANGED,
        UUID(int=1),
        None,
        None,
        frozenset({"custom:plan"}),
        None,
        NOON,
        NOON,
        None,
    )
    # The first batch makes the indexes.
    assert index.triggered_by(changed) == [running[1], running[4]]
    assert index.among([running[3].id]) == [running[3]]
    watched = Watched(running)
    watched.looked_at = set()
    object.__setattr__(index, "series", watched)
    assert index.triggered_by(changed) == [running[1], running[4]]
    assert index.among([running[3].id, UUID(int=99), running[0].id]) == [running[0], running[3]]
    assert watched.looked_at == {0, 1, 3, 4}
