"""The history of a series: its versions, and the definition of each (contract §18)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, and_, select

from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import conflict, not_found
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.domain.times.instants import Instant
from halo_engine.series.files.differences import differences
from halo_engine.series.writing import WrittenSeries, as_written, load_written, readable
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_versions, automations
from halo_engine.work import Work


class SeriesVersion(Answer):
    """One version: when it was saved, by whom and how, and the fields that it changed.

    ``saved_by`` and ``via`` are None of a version that was saved before versions were kept.
    """

    version: int
    saved_at: Instant
    saved_by: str | None
    via: str | None
    changed: tuple[str, ...]


class SeriesHistory(Answer):
    """The versions of a series, the latest first; that is the one in force."""

    series: str
    version: int
    versions: tuple[SeriesVersion, ...]


def history(work: Work, key: str) -> SeriesHistory:
    """Return the versions of the series ``key``; a 404 without it."""
    present = _present(work, key)
    rows = _rows(work, key, None)
    if not rows or rows[-1]["version"] != present.version:
        rows.append(_unkept(present))
    found = []
    before: SeriesDefinition | None = None
    for row in rows:
        definition = readable(row["definition"])
        changed: tuple[str, ...] = ()
        if before is not None and definition is not None:
            changed = tuple(each.field for each in differences(before, definition))
        found.append(SeriesVersion(changed=changed, **_said(row)))
        before = definition
    return SeriesHistory(series=key, version=present.version, versions=tuple(reversed(found)))


def find_version(work: Work, key: str, version: int) -> tuple[SeriesVersion, SeriesDefinition]:
    """Return one version of the series ``key`` and its definition.

    Raises 404 for a series or a version that is unknown, 409 for a definition that this code cannot
    read.
    """
    present = _present(work, key)
    rows = _rows(work, key, version)
    if not rows and version == present.version:
        rows = [_unkept(present)]
    if not rows:
        raise not_found("version", f"{version} of {key}")
    [row] = rows
    definition = readable(row["definition"])
    if definition is None:
        problem = f"Version {version} of series ‘{key}’ was saved by code that this one cannot read"
        raise conflict("unreadable_series", f"{problem}; allowed are versions that it can.")
    return SeriesVersion(changed=(), **_said(row)), definition


def _present(work: Work, key: str) -> WrittenSeries:
    found = load_written(work, [key])
    if key not in found:
        raise not_found("series", key)
    return found[key]


def _unkept(present: WrittenSeries) -> Mapping[str, Any]:
    """Return the version in force as its row would be."""
    definition = present.definition
    return {
        "version": present.version,
        "saved_at": present.updated_at,
        "saved_by": None,
        "via": None,
        "definition": None if definition is None else as_written(definition),
    }


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("version", "saved_at", "saved_by", "via")}


def _rows(work: Work, key: str, version: int | None) -> list[Mapping[str, Any]]:
    found = work.connection.execute(_read_versions(work, key, version)).mappings()
    return [dict(row) for row in found]


@statement("read_versions", version=None)
def _read_versions(work: Work, series_key: str, version: int | None) -> Select[Any]:
    kept, series = automation_versions, automations
    is_its = and_(kept.c.org_id == series.c.org_id, kept.c.automation_id == series.c.id)
    found = (
        select(kept)
        .select_from(series.join(kept, is_its))
        .where(series.c.org_id == work.org_id, series.c.key == series_key)
        .order_by(kept.c.version)
    )
    return found if version is None else found.where(kept.c.version == version)
