"""Warnings about the lists and series that filters name (contract §22)."""

from collections.abc import Iterator
from typing import Final

from halo_engine.domain.errors import shown
from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.series.definition import Series
from halo_engine.series.checking.checks import Check, SeriesFinding
from halo_engine.series.checking.rings import ring_of
from halo_engine.series.checking.surroundings import AnySeries, Surroundings, named_fields


def _unknown_list(series: AnySeries, around: Surroundings) -> Iterator[SeriesFinding]:
    for each in named_fields(series):
        key = each.field.attribute
        if each.field.entity is Entity.LIST and key not in around.lists:
            message = f"There is no list {shown(key)} yet: nobody is on it."
            yield SeriesFinding(place=each.place, message=message)


def _unknown_series(series: AnySeries, around: Surroundings) -> Iterator[SeriesFinding]:
    known = {each.key for each in around.series}
    if isinstance(series, Series):
        known.add(series.key)
    for each in named_fields(series):
        key = each.field.attribute
        if each.field.entity is Entity.SERIES and key not in known:
            message = f"There is no series {shown(key)} yet: it is ‘never’ for everybody."
            yield SeriesFinding(place=each.place, message=message)


def _ring(series: AnySeries, around: Surroundings) -> Iterator[SeriesFinding]:
    if not isinstance(series, Series):
        return
    ring = ring_of(series, [each for each in around.series if each.key != series.key])
    if ring is None:
        return
    shown_ring = " → ".join(map(shown, (*ring, ring[0])))
    yield SeriesFinding(
        place="audience_filters",
        message=f"Audiences name each other in a ring: {shown_ring}. Whoever moves on in one may "
        "enter the next.",
    )


#: The checks of this kind.
MEMBERSHIP_CHECKS: Final = (
    Check("unknown_list", "`list:KEY` of a list that is not there", _unknown_list),
    Check("unknown_series", "`series:KEY` of a series that is not there", _unknown_series),
    Check(
        "ring_of_series",
        "series that enroll by a filter, and whose audiences name each other in a ring",
        _ring,
    ),
)
