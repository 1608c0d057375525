"""What callers say of an endpoint, and what they are answered (contract §14)."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import bad_input
from halo_engine.domain.series.happenings import Happening
from halo_engine.domain.times.instants import Instant
from halo_engine.organizations.settings import HIDDEN


def _kinds(value: object) -> object:
    if isinstance(value, list) and not value:
        raise bad_input("kinds", "is an empty list; leave it out to ask for every kind")
    return value


def _series(value: object) -> object:
    if isinstance(value, list) and not value:
        raise bad_input("series", "is an empty list; leave it out to ask for every series")
    return value


_Kinds = Annotated[list[Annotated[Happening, Field(strict=False)]], BeforeValidator(_kinds)]
_Series = Annotated[list[Identifier], Field(max_length=200), BeforeValidator(_series)]
_Id = Annotated[UUID, Field(strict=False)]


class EndpointCall(Call):
    """An endpoint, by its id."""

    endpoint: _Id


class CreateEndpointCall(Call):
    """A ``url``; which ``kinds`` of happenings in which ``series`` (by key) are sent to it, all
    unless given; with ``with_traits`` the contact's email and traits go along.
    """

    url: str
    kinds: _Kinds | None = None
    series: _Series | None = None
    with_traits: bool = False


class ChangeEndpointCall(EndpointCall):
    """What to change of an endpoint; what is not given stays, ``null`` lets everything through.

    ``off`` switches it off, or on again: then what waits goes out.
    """

    url: str | None = None
    kinds: _Kinds | None = None
    series: _Series | None = None
    with_traits: bool | None = None
    off: bool | None = None


class EndpointAnswer(Answer):
    """An endpoint; ``kinds`` and ``series`` are None where everything is let through.

    ``off_reason``: it answered 410 (``gone``), nothing came through for five days (``failing``), or
    an operator did it. ``failing_since`` is when the first attempt failed since one succeeded,
    ``problem`` what was wrong with the last one, ``delivered_at`` when one succeeded last.
    """

    id: UUID
    url: str
    kinds: tuple[Happening, ...] | None
    series: tuple[str, ...] | None
    with_traits: bool
    secret: Literal["***"] = HIDDEN
    created_at: Instant
    off_since: Instant | None
    off_reason: Literal["gone", "failing", "operator"] | None
    failing_since: Instant | None
    problem: str | None
    delivered_at: Instant | None


class CreatedEndpoint(EndpointAnswer):
    """A new endpoint, or one with a new secret; the ``secret`` itself is shown here alone."""

    secret: str = Field(repr=False)  # type: ignore[assignment]
