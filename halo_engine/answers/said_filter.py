"""A filter in an answer, with what it is asked about it (contract §10)."""

from typing import Any

from pydantic import Field as Given
from pydantic import JsonValue

from halo_engine.domain.answer import Answer
from halo_engine.domain.fields.filters import Filter


class SaidFilter(Answer):
    """One filter; ``place`` is its path in the definition, such as ``audience_filters[0][1]``.

    ``value`` is None if the operator takes none; ``within`` is the span in which events are
    counted, if the filter has one.
    """

    place: str
    field: str
    operator: str
    value: JsonValue = None
    within: str | None = Given(default=None, exclude_if=lambda span: span is None)

    @property
    def filter(self) -> Filter:
        """The filter itself."""
        return Filter.model_validate(self.model_dump(include={*Filter.model_fields}))


def said(place: str, item: Filter) -> dict[str, Any]:
    """Return what an answer says of a filter: the values of a ``SaidFilter``."""
    return {"place": place, **item.model_dump(mode="json")}
