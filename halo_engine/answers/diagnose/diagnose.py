"""Diagnose: why an audience matches so few contacts (contract §10)."""

from halo_engine.answers.diagnose.advice import advise
from halo_engine.answers.diagnose.causes import Advice
from halo_engine.answers.diagnose.counts import Counts, FilterCounts, count
from halo_engine.answers.diagnose.filter_advice import FilterFacts
from halo_engine.answers.diagnose.seen_values import SeenValues, seen_values
from halo_engine.answers.said_filter import SaidFilter, said
from halo_engine.audience.registered import event_names
from halo_engine.domain.answer import Answer
from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.series.definition import Series
from halo_engine.work import Work


class DiagnosedFilter(SaidFilter):
    """One filter, counted over eligible contacts: of the right type and not suppressed.

    ``passes_alone`` counts those that pass it, ``missing`` those without a value of its type.
    ``matches_without`` counts those that the audience would match without it; everybody passes a
    group that is then empty.
    """

    passes_alone: int
    matches_without: int
    missing: int


class Diagnosis(Answer):
    """How many contacts match, how many are eligible, each filter's counts, and advice."""

    series: str
    matched: int
    eligible: int
    filters: tuple[DiagnosedFilter, ...]
    advice: tuple[Advice, ...]


def diagnose(work: Work, series: Series) -> Diagnosis:
    """Return how the audience of ``series`` divides the contacts now, with advice (contract §10).

    Only an audience by criteria has filters.
    """
    counts = count(work, series)
    facts = _facts(work, series, counts)
    return Diagnosis(
        series=series.key,
        matched=counts.matched,
        eligible=counts.eligible,
        filters=tuple(_diagnosed(each) for each in counts.filters),
        advice=tuple(advise(series, counts, facts)),
    )


def _facts(work: Work, series: Series, counts: Counts) -> list[FilterFacts]:
    """Add stored values and known events to the counts, for filters that pass nobody."""
    nobody = [each for each in counts.filters if not each.passes_alone]
    of_events = [each for each in nobody if each.filter.target.entity is Entity.EVENT]
    asked = [each for each in nobody if each not in of_events and each.absent < counts.eligible]
    seen = seen_values(work, series, [each.filter for each in asked])
    by_place = {each.place: seen[n] for n, each in enumerate(asked) if n in seen}
    events = event_names(work.connection, work.org_id) if of_events else []
    return [
        FilterFacts(each, counts.eligible, by_place.get(each.place, SeenValues(())), events)
        for each in counts.filters
    ]


def _diagnosed(each: FilterCounts) -> DiagnosedFilter:
    return DiagnosedFilter(
        **said(each.place, each.filter),
        passes_alone=each.passes_alone,
        matches_without=each.matches_without,
        missing=each.missing,
    )
