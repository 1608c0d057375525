"""Diagnose: why an audience matches so few contacts (contract §10)."""

from pydantic import JsonValue

from halo_engine.answers.advice import Advice, advise
from halo_engine.answers.counts import FilterCounts, count
from halo_engine.answers.shape import Answer
from halo_engine.domain.series import Series
from halo_engine.work import Work


class DiagnosedFilter(Answer):
    """One filter, over the contacts of the right type that are not suppressed.

    How many pass it alone; how many the audience would match if it were taken out of its group and
    all else stayed (a group that is left empty keeps nobody out); how many lack the value, one of
    another type included.
    """

    place: str
    field: str
    operator: str
    value: JsonValue
    passes_alone: int
    matches_without: int
    missing: int


class Diagnosis(Answer):
    """How many match now, how many of the right type are not suppressed, and what to look at."""

    series: str
    matched: int
    eligible: int
    filters: tuple[DiagnosedFilter, ...]
    advice: tuple[Advice, ...]


def diagnose(work: Work, series: Series) -> Diagnosis:
    """Return how the audience of ``series`` divides the contacts now, with advice (contract §10).

    Filters are looked at where the audience is by criteria; of other audiences there are none.
    """
    counts = count(work, series)
    return Diagnosis(
        series=series.key,
        matched=counts.matched,
        eligible=counts.eligible,
        filters=tuple(_diagnosed(each) for each in counts.filters),
        advice=tuple(advise(series, counts)),
    )


def _diagnosed(each: FilterCounts) -> DiagnosedFilter:
    return DiagnosedFilter(
        place=each.place,
        field=each.filter.field,
        operator=each.filter.operator,
        value=each.filter.value,
        passes_alone=each.passes_alone,
        matches_without=each.matches_without,
        missing=each.missing,
    )
