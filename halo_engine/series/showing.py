"""Showing a saved series: its definition as a file writes it, and how it stands (§8)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer

from halo_engine.domain.errors import not_found
from halo_engine.domain.instants import format_instant
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.series.check import check
from halo_engine.series.lifecycle import find_series
from halo_engine.series.warnings import SeriesWarning
from halo_engine.series.written import as_written, load_written
from halo_engine.work import Work

_Instant = Annotated[
    datetime, PlainSerializer(format_instant, return_type=str, when_used="json-unless-none")
]


class ShownSeries(BaseModel):
    """One series; ``refusals`` is what activating or resuming it would be refused for now."""

    model_config = ConfigDict(frozen=True)

    series: str
    status: SeriesStatus
    created_at: _Instant
    updated_at: _Instant
    activated_at: _Instant | None
    definition: Mapping[str, Any]
    refusals: tuple[str, ...]
    warnings: tuple[SeriesWarning, ...]


def show_series(work: Work, key: str) -> ShownSeries:
    """Return the series ``key``, so that its definition can be saved again; a 404 without it."""
    found = load_written(work, [key])
    if key not in found:
        raise not_found("series", key)
    written, checked = found[key], check(work, find_series(work, key))
    # One that cannot be read was refused above.
    assert written.definition is not None
    return ShownSeries(
        series=key,
        status=written.status,
        created_at=written.created_at,
        updated_at=written.updated_at,
        activated_at=written.activated_at,
        definition=as_written(written.definition),
        refusals=checked.refusals,
        warnings=checked.warnings,
    )
