"""The presets that an audience can begin with (contract §3, Presets)."""

from halo_engine.domain.answer import Answer
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.fields.presets import PRESETS


class PresetAnswer(Answer):
    """A preset's label in the panel, and the filter that it adds to the first group, once."""

    preset: str
    filter: Filter


class Presets(Answer):
    """Every preset, in the panel's order."""

    items: tuple[PresetAnswer, ...]
    next: None = None


def known_presets() -> Presets:
    """Return the presets; they are the same for every organisation."""
    return Presets(
        items=tuple(PresetAnswer(preset=label, filter=each) for label, each in PRESETS.items())
    )
