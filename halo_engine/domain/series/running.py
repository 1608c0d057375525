"""The running series of an organisation, indexed so that a batch finds those that it concerns."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from uuid import UUID

from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series, Step
from halo_engine.domain.series.signals import EVERYTHING, Signal
from halo_engine.domain.series.triggers import (
    SUPPRESSION_KEY,
    Topic,
    asked_beside,
    is_for_passes,
    is_in_time,
    listens_to,
    may_bring_data,
    told_keys,
    topics_of,
)


@dataclass(frozen=True, slots=True)
class SetAsideSeries:
    """A series that is set aside, and why; ``series`` is None if it could not be read.

    ``waits_for_signals`` is false if no signal of a contact can enroll anybody in it.
    """

    key: str
    problem: str
    waits_for_signals: bool = True
    series: Series | None = None


@dataclass(frozen=True, eq=False)
class RunningSeries:
    """Series that still have something to do, in order of creation.

    They do not change until a series is saved, so many batches share the indexes. ``aside`` are the
    series that are set aside for now, because this code cannot read them or because handling them
    fails: their work waits, while the others go on.
    """

    series: tuple[Series, ...]
    aside: Mapping[UUID, SetAsideSeries] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> Mapping[UUID, Series]:
        """All series by id."""
        return {each.id: each for each in self.series}

    @cached_property
    def _indexes(self) -> Mapping[UUID, int]:
        return {each.id: index for index, each in enumerate(self.series)}

    @cached_property
    def _listening(self) -> Mapping[Topic, Sequence[int]]:
        listening: dict[Topic, list[int]] = {}
        for index, each in enumerate(self.series):
            for topic in listens_to(each):
                listening.setdefault(topic, []).append(index)
        return listening

    @cached_property
    def releasing(self) -> Sequence[Series]:
        """The active series of which whoever is held is released at a pace (contract §19)."""
        return [each for each in self.series if each.is_active and each.pace is not None]

    def among(self, ids: Collection[UUID]) -> list[Series]:
        """Return the series with one of the ``ids``, in order of creation."""
        return [self.series[n] for n in sorted(self._indexes[i] for i in ids if i in self._indexes)]

    def without(self, problems: Mapping[UUID, str]) -> "RunningSeries":
        """Return a copy in which the series of ``problems`` are set aside, each for its problem."""
        found = {id_: self.by_id[id_] for id_ in problems if id_ in self.by_id}
        if not found:
            return self
        aside = {
            id_: SetAsideSeries(each.key, problems[id_], series=each) for id_, each in found.items()
        }
        return RunningSeries(
            tuple(each for each in self.series if each.id not in found), {**self.aside, **aside}
        )

    def only(self, ids: Collection[UUID]) -> "RunningSeries":
        """Return a copy with only the series that have one of the ``ids``."""
        return RunningSeries(tuple(self.among(ids)))

    def kept_for(self, signal: Signal) -> Iterator[tuple[UUID, SetAsideSeries]]:
        """Yield the series set aside that ``signal`` may concern: a copy is kept for each."""
        for id_, each in self.aside.items():
            if each.series is None:
                if each.waits_for_signals:
                    yield id_, each
                continue
            alone = RunningSeries((each.series,))
            concerns = alone.triggered_by(signal) or alone.waited_for(signal)
            if concerns or alone.may_open_gates(signal):
                yield id_, each

    def triggered_by(self, signal: Signal) -> list[Series]:
        """Return the series that ``signal`` triggers, in order of creation."""
        [indexes] = self.indexes_triggered([signal])
        return [self.series[index] for index in indexes]

    def indexes_triggered(self, signals: Iterable[Signal]) -> Iterator[tuple[int, ...]]:
        """Yield for each signal the indexes in ``series`` of those that it triggers (contract §4).

        Most signals of a batch are alike (the same trait changed, the same event fired), so their
        listeners are looked up once.
        """
        alike: dict[tuple[object, ...], list[int]] = {}
        for signal in signals:
            said = signal.kind, signal.changed, signal.event_name, signal.series_id
            if said not in alike:
                listening = (self._listening.get(topic, ()) for topic in topics_of(signal))
                concerned = set().union(*listening)
                if signal.series_id is not None:
                    concerned &= {self._indexes.get(signal.series_id)}
                alike[said] = sorted(concerned)
            yield tuple(n for n in alike[said] if is_in_time(signal, self.series[n]))

    @cached_property
    def _passed(self) -> Mapping[str, frozenset[UUID]]:
        """The active ``segment_match`` series, by the keys that their guards ask about beside the
        audience's; those set aside too.
        """
        aside = (each.series for each in self.aside.values())
        asking: dict[str, set[UUID]] = {}
        for each in (*self.series, *aside):
            if each is None or not each.is_active:
                continue
            if each.entry_trigger is EntryTrigger.SEGMENT_MATCH:
                for key in asked_beside(each):
                    asking.setdefault(key, set()).add(each.id)
        return {key: frozenset(ids) for key, ids in asking.items()}

    def for_next_pass(self, signals: Sequence[Signal]) -> list[Signal]:
        """Return the signals whose contacts, or companies, the next pass has to look at: what
        changed may let them enter a series that the signal does not trigger (contract §4).
        """
        alike: dict[tuple[object, ...], bool] = {}
        found = []
        for signal in signals:
            said = signal.kind, signal.changed, signal.event_name, signal.series_id
            if said not in alike:
                alike[said] = self._is_for_next_pass(signal)
            if alike[said]:
                found.append(signal)
        return found

    def _is_for_next_pass(self, signal: Signal) -> bool:
        if not self._passed and all(each.series is not None for each in self.aside.values()):
            return False
        if is_for_passes(signal) or SUPPRESSION_KEY in signal.changed:
            return True
        asking = set().union(*(self._passed.get(key, ()) for key in told_keys(signal)))
        return bool(asking) and not asking <= {each.id for each in self.triggered_by(signal)}

    @cached_property
    def patient(self) -> tuple[Series, ...]:
        """The series in which contacts may wait for data (§23)."""
        return tuple(each for each in self.series if each.patience)

    def waited_for(self, signal: Signal) -> list[Series]:
        """Return the series for which ``signal`` may bring the data that contacts wait for."""
        return [
            each
            for each in self.patient
            if signal.series_id in (None, each.id) and may_bring_data(signal, each)
        ]

    @cached_property
    def awaited_events(self) -> frozenset[str]:
        """The names of the events that gates of active series wait for, to open early (§21)."""
        return frozenset(
            step.condition.value
            for each in self.series
            if each.is_active
            for step in each.steps
            if step.condition is not None and step.condition.early and step.condition.value
        )

    def may_open_gates(self, signal: Signal) -> bool:
        """Return whether ``signal`` may open an early gate: it brings the event, or two contacts
        became one.
        """
        if not self.awaited_events:
            return False
        return signal.event_name in self.awaited_events or EVERYTHING in signal.changed

    @cached_property
    def active_ids(self) -> list[UUID]:
        """The ids of the active series."""
        return [each.id for each in self.series if each.is_active]

    @cached_property
    def beside_mail(self) -> tuple[list[UUID], list[UUID]]:
        """Ids of the active series where rows can move on without mail, and of the email steps."""
        moving = [
            each
            for each in self.series
            if each.is_active and any(map(_moves_without_mail, each.steps_by_id.values()))
        ]
        steps = [step for each in moving for step in each.steps_by_id.values()]
        return (
            [each.id for each in moving],
            [step.id for step in steps if not _moves_without_mail(step)],
        )


def _moves_without_mail(step: Step) -> bool:
    return step.email is None or step.removed
