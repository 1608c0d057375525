"""What all answers have in common: frozen, written as JSON, in pages (contract §2, §10)."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

#: How many items a page has unless the caller says otherwise.
PAGE: Final = 50

#: How many items a page over HTTP may have; a task's may have more.
LARGEST_PAGE: Final = 200
PageLimit = Annotated[int, Field(ge=1, le=LARGEST_PAGE)]
PageSize = Annotated[int, Field(ge=1, le=1000)]
#: Of an answer that counts, too: a page of 0 is the count alone.
CountedPageSize = Annotated[int, Field(ge=0, le=1000)]


class Answer(BaseModel):
    """What a door answers; ``model_dump(mode="json")`` is what a task or ``--json`` shows."""

    model_config = ConfigDict(frozen=True)
