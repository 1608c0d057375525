"""Show a saved series: its definition as a file writes it, and its state (§8)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import not_found
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.rules_panel.sentences import in_words
from halo_engine.domain.times.instants import Instant
from halo_engine.series.checking.warnings import SeriesWarning
from halo_engine.series.files.check import check, unsaved
from halo_engine.series.files.history import find_version
from halo_engine.series.lifecycle import find_series
from halo_engine.series.surges.held import count_held
from halo_engine.series.writing import as_written, load_written
from halo_engine.work import Work


class ShownSeries(Answer):
    """One series; ``refusals`` says why activating or resuming it would be refused now.

    ``version`` counts the saves that changed its definition; ``updated_at`` of an old one is when
    it was saved. ``words`` says the definition in the panel's words, by the part that each sentence
    is about. ``refusals`` and ``warnings`` are None where nobody asked for checks. ``held`` counts
    whom its surge holds; ``surge_at_most`` is how many a span of it takes, also where the
    definition says ``auto``; None where that is not worked out yet. ``releasing`` is the pace of
    the release that is under way, such as 500/1h.
    """

    series: str
    status: SeriesStatus
    version: int
    created_at: Instant
    updated_at: Instant
    activated_at: Instant | None
    definition: Mapping[str, Any]
    words: Mapping[str, str]
    refusals: tuple[str, ...] | None
    warnings: tuple[SeriesWarning, ...] | None
    held: int = 0
    surge_at_most: int | None = None
    releasing: str | None = None


def show_series(
    work: Work, key: str, version: int | None = None, *, checked: bool = True
) -> ShownSeries:
    """Return the series ``key``, so that its definition can be saved again; a 404 without it.

    With a ``version`` the definition is that one's, and what is checked is that. Without checks it
    is quick, however many contacts there are.
    """
    found = load_written(work, [key])
    if key not in found:
        raise not_found("series", key)
    written = found[key]
    if version is None:
        series = find_series(work, key)
    else:
        kept, definition = find_version(work, key, version)
        written = replace(
            written, definition=definition, version=kept.version, updated_at=kept.saved_at
        )
        series = unsaved(work, key, definition, written.status)
    found_by_checks = check(work, series) if checked else None
    # One that cannot be read was refused above.
    assert written.definition is not None
    return ShownSeries(
        series=key,
        status=written.status,
        version=written.version,
        created_at=written.created_at,
        updated_at=written.updated_at,
        activated_at=written.activated_at,
        definition=as_written(written.definition),
        words={each.about: each.text for each in in_words(written.definition)},
        refusals=found_by_checks and found_by_checks.refusals,
        warnings=found_by_checks and found_by_checks.warnings,
        held=count_held(work, series),
        surge_at_most=series.surge_at_most,
        releasing=str(series.pace) if series.pace else None,
    )
