"""The instant at which a filter is evaluated, and parameters that depend on it (§1, §3)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import BindParameter, bindparam, literal
from sqlalchemy.types import TypeEngine

from halo_engine.sql.prepared import Later


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, and the zone in which dates without a zone are read (contract §1)."""

    now: datetime
    zone: str

    def parameter(
        self, value: Callable[["Moment"], Any], type_: TypeEngine[Any]
    ) -> BindParameter[Any]:
        """Return a parameter whose value is computed now, for this moment."""
        return literal(value(self), type_)


class When(Protocol):
    """A moment, or any moment; it makes a statement's parameters that depend on the clock."""

    def parameter(
        self, value: Callable[[Moment], Any], type_: TypeEngine[Any]
    ) -> BindParameter[Any]:
        """Return a parameter whose value ``value`` computes from the moment."""


class _AnyMoment:
    def parameter(
        self, value: Callable[[Moment], Any], type_: TypeEngine[Any]
    ) -> BindParameter[Any]:
        return bindparam(None, Later(value), type_, unique=True)


#: For cached statements: each execution passes its own moment (``prepared``).
ANY_MOMENT: Final[When] = _AnyMoment()
