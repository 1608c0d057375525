"""The token of a plan: which versions it was made against, and what would be saved (§18)."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from halo_engine.domain.errors import Refusal, conflict
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.writing import as_written

#: What a token begins with: no version does.
PREFIX: Final = "plan-"
PATTERN: Final = rf"^{PREFIX}[0-9a-f]{{32}}$"


def plan_token(
    versions: Mapping[str, int],
    definitions: Mapping[str, SeriesDefinition],
    *,
    reschedule: bool = False,
) -> str:
    """Return the token of saving ``definitions``; a series that is not there yet has no version."""
    said = [
        [key, versions.get(key, 0), as_written(definitions[key])] for key in sorted(definitions)
    ]
    text = json.dumps([said, reschedule], sort_keys=True)
    return PREFIX + hashlib.sha256(text.encode()).hexdigest()[:32]


def outdated() -> Refusal:
    """Make the 409 for a save that is not what its plan said."""
    problem = "The series was saved since the plan was made, or this is not what was planned"
    return conflict("plan_outdated", f"{problem}; allowed is what a new plan says.")
