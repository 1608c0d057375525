"""The base of all answers: frozen, and written as JSON (contract §2, §10)."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from halo_engine.domain.instants import format_instant

#: An instant, which JSON shows as ISO 8601 with microseconds and ``+00:00`` (contract §2).
Instant = Annotated[
    datetime, PlainSerializer(format_instant, return_type=str, when_used="json-unless-none")
]


class Answer(BaseModel):
    """The base of answers; ``model_dump(mode="json")`` is what a task or ``--json`` shows."""

    model_config = ConfigDict(frozen=True)
