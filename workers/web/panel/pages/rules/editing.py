"""A series in somebody's hands: what is saved, what stands in the form, what is wrong with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from halo_engine.domain.errors import Refusal
from halo_engine.domain.rules_panel.buttons import pressed
from halo_engine.domain.rules_panel.changes import label_of_part, value_in_words
from halo_engine.domain.rules_panel.filter_builders import (
    added_input,
    lack_types,
    with_types,
)
from halo_engine.domain.rules_panel.filter_builders import inputs_of as filter_inputs
from halo_engine.domain.rules_panel.form import (
    BUILDERS,
    EVENT_NAMES,
    EXITS,
    SWITCHES,
    TEXTS,
    RulesForm,
    form_of,
    posted,
)
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.files.differences import differences
from halo_engine.series.files.showing import ShownSeries
from halo_engine.series.save import read_definition
from halo_engine.series.writing import as_written

from ...forms import NO_FAULTS, Faults
from ...page import Visit
from ..progress.properties import known_types

#: The names of the version that a form was made from, of the plan that was shown, and of the button
#: that was pressed.
VERSION: Final = "version"
PLAN: Final = "plan"
BUTTON: Final = "do"


@dataclass(frozen=True, slots=True)
class Changed:
    """One part that a save changes: what it is called, and what it is before and after."""

    part: str
    before: str
    after: str


@dataclass(frozen=True)
class Editing:
    """One series on one screen.

    ``version`` is the one that the form was made from; ``added`` is the name of the input to go on
    at, after a button added it.
    """

    shown: ShownSeries
    base: SeriesDefinition
    form: RulesForm
    version: int
    added: str = ""
    faults: Faults = field(default=NO_FAULTS)

    @property
    def key(self) -> str:
        """The key of the series."""
        return self.shown.series

    @cached_property
    def read(self) -> tuple[SeriesDefinition | None, Faults]:
        """The definition that stands on the screen, or None with what is wrong with it."""
        form = self.form.without_blanks()
        try:
            definition, found = read_definition("", form.written(self.base))
        except Refusal as refusal:
            return None, Faults(others=tuple(refusal.message.splitlines()))
        found = (*form.faults(), *found)
        errors = form.errors(found)
        inputs = set(inputs_of(form))
        faults = Faults(
            {name: text for name, text in errors.items() if name in inputs},
            tuple(f"{name}: {text}" for name, text in errors.items() if name not in inputs),
        )
        return (None if found else definition), faults

    @property
    def definition(self) -> SeriesDefinition | None:
        """The definition on the screen, if it is one."""
        return self.read[0]

    @property
    def is_unsaved(self) -> bool:
        """Whether the screen says something else than what is saved."""
        return self.definition != self.base

    @property
    def is_overtaken(self) -> bool:
        """Whether somebody saved since the form was made."""
        return self.version != self.shown.version

    @cached_property
    def changes(self) -> tuple[Changed, ...]:
        """What a save would change, part by part."""
        if self.definition is None:
            return ()
        return tuple(
            Changed(
                label_of_part(each.field),
                value_in_words(each.field, each.before),
                value_in_words(each.field, each.after),
            )
            for each in differences(self.base, self.definition)
        )

    @property
    def labels(self) -> Mapping[str, str]:
        """What each input is called, for the list of what is wrong."""
        names = inputs_of(self.form)
        return {name: label_of_part(name.partition("[")[0]) for name in names}

    def written(self) -> dict[str, Any]:
        """Return the definition on the screen as doors take it."""
        assert self.definition is not None
        return as_written(self.definition)

    def checked(self) -> "Editing":
        """Return it with what is wrong shown at the inputs, and without blank rows."""
        return replace(self, form=self.form.without_blanks(), faults=self.read[1])


def inputs_of(form: RulesForm) -> Iterable[str]:
    """Yield the name of each input of a form; a builder is one, too."""
    yield from (*TEXTS, *SWITCHES, EXITS, *BUILDERS)
    yield from filter_inputs(form.builders)


def saved(visit: Visit) -> Editing:
    """Return a series as it is saved."""
    shown, base = _load(visit)
    return Editing(shown, base, form_of(base), shown.version)


def sent(visit: Visit) -> Editing:
    """Return a series as a form has it, after the button that was pressed."""
    shown, base = _load(visit)
    version = visit.form.get(VERSION)
    is_version = version.isascii() and version.isdigit() and len(version) < 10
    button = visit.form.get(BUTTON)
    before = _typed(visit, posted(visit.form.pairs, form_of(base).texts))
    form = pressed(before, button)
    added = added_input(before.builders, form.builders)
    return Editing(shown, base, form, int(version) if is_version else 0, added)


def _load(visit: Visit) -> tuple[ShownSeries, SeriesDefinition]:
    shown: ShownSeries = visit.call("series.show", series=visit.path("series"), checked=False)
    return shown, SeriesDefinition.model_validate(dict(shown.definition))


def _typed(visit: Visit, form: RulesForm) -> RulesForm:
    """Return the form with the types of custom fields that somebody has just named."""
    if not lack_types(form.builders):
        return form
    known = known_types(visit, (form.texts[name] for name in EVENT_NAMES))
    return form.with_builders(with_types(form.builders, known))
