"""The filter builders of a form: rows in AND groups, by the place that they write (§17).

An input is named by its path, as messages name it: ``audience_filters[0][1].value``. So an error of
the definition belongs to the input of that name.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from halo_engine.domain.errors import Fault, Path
from halo_engine.domain.fields.event_filters import EventItem
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.rules_panel.filter_rows import PARTS, FilterRow, kept_row_of

Groups = tuple[tuple[FilterRow, ...], ...]
Builders = Mapping[str, Groups]

#: A part of a row: its builder, group, place and part. Further ones than three digits tell are not
#: read.
_ROW: Final = re.compile(r"([a-z_.]+)\[(\d{1,3})\]\[(\d{1,3})\]\.([a-z]+)")
_WHOLE_ROW: Final = re.compile(r"[a-z_.]+\[\d+\]\[\d+\]")
#: A builder, perhaps one of its groups, perhaps one filter of that.
_PLACE: Final = re.compile(r"([a-z_.]+)(?:\[(\d{1,3})\])?(?:\[(\d{1,3})\])?")
#: The part of a row that a fault of the whole filter is about.
_PART_AT_FAULT: Final[Mapping[str, str]] = {
    "unknown_field": "field",
    "bad_name": "field",
    "misplaced_event_property": "field",
    "not_event_property": "field",
    "bad_operator": "operator",
}


def posted_builders(pairs: Iterable[tuple[str, str]], places: Iterable[str]) -> Builders:
    """Return the builders that a browser sent for these places; other names are passed over."""
    rows: dict[str, dict[tuple[int, int], dict[str, str]]] = {place: {} for place in places}
    for name, value in pairs:
        if (match := _ROW.fullmatch(name)) and match[1] in rows and match[4] in PARTS:
            row = rows[match[1]].setdefault((int(match[2]), int(match[3])), {})
            row[match[4]] = value
    return {place: _in_groups(found) for place, found in rows.items()}


def _in_groups(rows: Mapping[tuple[int, int], Mapping[str, str]]) -> Groups:
    groups: dict[int, list[FilterRow]] = defaultdict(list)
    for (g, _), parts in sorted(rows.items()):
        groups[g].append(FilterRow(**parts))
    return tuple(map(tuple, groups.values()))


def rows_of(groups: Iterable[Iterable[Filter | EventItem]]) -> Groups:
    """Return the rows that show filters, and keep them while nobody changes a row."""
    return tuple(tuple(map(kept_row_of, group)) for group in groups)


def pairs_of(builders: Builders) -> Iterator[tuple[str, str]]:
    """Yield the names and values that a browser sends."""
    for name, row in _named_rows(builders):
        yield from ((f"{name}.{part}", getattr(row, part)) for part in PARTS)


def inputs_of(builders: Builders) -> Iterator[str]:
    """Yield the names of the inputs that a message may be about."""
    for name, _ in _named_rows(builders):
        yield from (f"{name}.{part}" for part in ("field", "operator", "value"))


def _named_rows(builders: Builders) -> Iterator[tuple[str, FilterRow]]:
    for place, groups in builders.items():
        for g, group in enumerate(groups):
            for n, row in enumerate(group):
                yield f"{place}[{g}][{n}]", row


def without_blanks(builders: Builders) -> Builders:
    """Return them without the rows that nobody filled in, and without groups of none."""
    return {
        place: tuple(kept for group in groups if (kept := _filled(group)))
        for place, groups in builders.items()
    }


def _filled(group: Iterable[FilterRow]) -> tuple[FilterRow, ...]:
    return tuple(row for row in group if not row.is_blank)


def lack_types(builders: Builders) -> bool:
    """Return whether a row is of a custom field for which nobody has chosen the type yet."""
    return any(row.lacks_type for _, row in _named_rows(builders))


def with_types(builders: Builders, known: Mapping[str, str]) -> Builders:
    """Return them with the types that custom fields are known to have, where none was chosen."""

    def typed(row: FilterRow) -> FilterRow:
        if not row.lacks_type:
            return row
        return replace(row, type=known.get(row.key, row.type), of=row.field).settled()

    return _each(builders, typed)


def _each(builders: Builders, change: Callable[[FilterRow], FilterRow]) -> Builders:
    return {
        place: tuple(tuple(map(change, group)) for group in groups)
        for place, groups in builders.items()
    }


def written_groups(groups: Groups) -> list[list[dict[str, Any]]]:
    """Return filters as a definition writes them, right or wrong. Call it without blanks."""
    return [[row.written() for row in group] for group in groups]


def after_button(builders: Builders, button: str) -> Builders:
    """Return the builders after a button was pressed; its name is ``act:place``.

    Rows whose field changed get an operator of the new type; a button that names no place changes
    nothing else.
    """
    settled = _each(builders, FilterRow.settled)
    act, _, target = button.partition(":")
    match = _PLACE.fullmatch(target)
    if act not in _ACTS or match is None or match[1] not in settled:
        return settled
    g, n = (None if part is None else int(part) for part in (match[2], match[3]))
    return {**settled, match[1]: _ACTS[act](settled[match[1]], g, n)}


def _add_group(groups: Groups, _g: int | None, _n: int | None) -> Groups:
    return (*groups, (FilterRow(),))


def _add_filter(groups: Groups, g: int | None, _n: int | None) -> Groups:
    return tuple(
        (*group, FilterRow()) if index == g else group for index, group in enumerate(groups)
    )


def _remove(groups: Groups, g: int | None, n: int | None) -> Groups:
    """Remove one filter, and its group if that was its last one."""
    kept = (
        tuple(row for place, row in enumerate(group) if (index, place) != (g, n))
        for index, group in enumerate(groups)
    )
    return tuple(group for group in kept if group)


_ACTS: Final[Mapping[str, Callable[[Groups, int | None, int | None], Groups]]] = {
    "add-group": _add_group,
    "add-filter": _add_filter,
    "remove": _remove,
}


def added_input(before: Builders, after: Builders) -> str:
    """Return the name of the input that a button added; empty if it added none."""
    for place, groups in after.items():
        for g, group in enumerate(groups):
            had = before[place][g : g + 1]
            if len(group) > (len(had[0]) if had else 0):
                return f"{place}[{g}][{len(group) - 1}].field"
    return ""


def unwritten(builders: Builders) -> Iterator[Fault]:
    """Yield the values that nobody has written yet, as faults."""
    for place, groups in builders.items():
        for g, group in enumerate(groups):
            for n, row in enumerate(group):
                if row.lacks_value():
                    path: Path = (*place.split("."), g, n, "value")
                    yield Fault(path, "is empty; write a value, or remove the filter")


def at_input(name: str, fault: Fault, places: Collection[str]) -> tuple[str, str]:
    """Return the input that a fault at the path ``name`` belongs to, and what it says there."""
    if not _WHOLE_ROW.fullmatch(name) or name.partition("[")[0] not in places:
        return name, fault.problem
    # A filter names itself in its faults; beside its input that says nothing new.
    problem = fault.problem.partition(": ")[2] or fault.problem
    if fault.code == "unknown_field":
        # The picker beside it shows what is allowed.
        problem = problem.partition("; allowed")[0]
    return f"{name}.{_PART_AT_FAULT.get(fault.code, 'value')}", problem
