"""What the buttons of the panel's form do, without saving: add, remove, presets (§17)."""

from dataclasses import replace
from typing import Final

from halo_engine.domain.fields.presets import preset_filter
from halo_engine.domain.reasons import AudienceType
from halo_engine.domain.rules_panel.filter_builders import after_button
from halo_engine.domain.rules_panel.filter_rows import row_of
from halo_engine.domain.rules_panel.form import RulesForm

_AUDIENCE: Final = "audience_filters"


def pressed(form: RulesForm, button: str) -> RulesForm:
    """Return the form after a button was pressed; its name is ``act:place`` or ``preset:LABEL``.

    Rows whose field changed get an operator of the new type. Raises a 400 for an unknown preset; a
    button that names no place of the form changes nothing else.
    """
    form = form.with_builders(after_button(form.builders, button))
    act, _, label = button.partition(":")
    return _with_preset(form, label) if act == "preset" else form


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
