"""What the buttons of the panel's form do, without saving: add, remove, presets (§17)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from halo_engine.domain.fields.filters import preset_filter
from halo_engine.domain.reasons import AudienceType
from halo_engine.domain.rules_panel.filter_rows import FilterRow, row_of
from halo_engine.domain.rules_panel.form import BUILDERS, Groups, RulesForm

#: A builder, perhaps one of its groups, perhaps one filter of that.
_PLACE: Final = re.compile(r"([a-z_.]+)(?:\[(\d{1,3})\])?(?:\[(\d{1,3})\])?")
_AUDIENCE: Final = "audience_filters"


def pressed(form: RulesForm, button: str) -> RulesForm:
    """Return the form after a button was pressed; its name is ``act:place`` or ``preset:LABEL``.

    Rows whose field changed get an operator of the new type. Raises a 400 for an unknown preset; a
    button that names no place of the form changes nothing else.
    """
    form = form.with_builders({place: _settled(rows) for place, rows in form.builders.items()})
    act, _, target = button.partition(":")
    if act == "preset":
        return _with_preset(form, target)
    match = _PLACE.fullmatch(target)
    if act not in _ACTS or match is None or match[1] not in BUILDERS:
        return form
    g, n = (None if part is None else int(part) for part in (match[2], match[3]))
    return form.with_builders({match[1]: _ACTS[act](form.builders[match[1]], g, n)})


def has_preset(form: RulesForm, label: str) -> bool:
    """Return whether the preset's filter stands in the first group already."""
    wanted = preset_filter(label).model_dump(mode="json")
    first = form.builders[_AUDIENCE][:1]
    return any(row.written() == wanted for group in first for row in group)


def _with_preset(form: RulesForm, label: str) -> RulesForm:
    added = row_of(preset_filter(label))
    texts = {**form.texts, "audience_type": AudienceType.SEGMENT.value}
    form = replace(form.without_blanks(), texts=texts)
    if has_preset(form, label):
        return form
    first, *others = form.builders[_AUDIENCE] or ((),)
    return form.with_builders({_AUDIENCE: ((*first, added), *others)})


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


def _settled(groups: Groups) -> Groups:
    return tuple(tuple(row.settled() for row in group) for group in groups)
