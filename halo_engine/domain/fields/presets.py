"""The one-click filters of the audience builder, by label."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.fields.operators import Operator


def _preset(field: str, operator: Operator, value: str) -> Filter:
    return Filter(field=field, operator=operator, value=value)


#: The one-click filters of the audience builder, by label.
PRESETS: Final[Mapping[str, Filter]] = MappingProxyType(
    {
        "On trial": _preset("stripe:subscription_status", Operator.IS, "trialing"),
        "Active subscribers": _preset("stripe:subscription_status", Operator.IS, "active"),
        "Past due": _preset("stripe:subscription_status", Operator.IS, "past_due"),
        "Set to cancel": _preset("renewal_status", Operator.IS, "set_to_cancel"),
        "From SDK": _preset("source", Operator.IS, "sdk"),
        "Signed up in 30 days": _preset("signed_up_at", Operator.AFTER, "-30d"),
        "Inactive 30 days+": _preset("last_seen", Operator.BEFORE, "-30d"),
    }
)


def preset_filter(label: str) -> Filter:
    """Return the filter that a preset adds; an unknown one is a 400 that names those there are."""
    preset = PRESETS.get(label)
    if preset is None:
        problem = f"{shown(label)} is unknown; allowed are {', '.join(PRESETS)}"
        raise bad_input("preset", problem, "unknown_preset")
    return preset
