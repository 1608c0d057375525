"""The tracer of a process, independent of a library."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

from halo_engine.mail.transports.transports import Transport
from halo_engine.sql.planning import Cursor

from .causes import Cause

Attribute = str | int | float | bool


class Tracer(Protocol):
    """Traces a process's work."""

    #: Makes a span of each statement.
    cursor: type[Cursor]

    def span(
        self, name: str, cause: Cause, /, **attributes: Attribute
    ) -> AbstractContextManager[None]:
        """Return a context that makes its block a span; ``cause`` gives its parent or its links."""

    def add_attributes(self, **attributes: Attribute) -> None:
        """Add attributes to the current span."""

    def trace_contacts(self, contacts: Sequence[UUID]) -> None:
        """Note in the traces of these contacts that the current work had results for them."""

    def mailing(self, transport: Transport) -> Transport:
        """Return the transport, with a span around each mail."""

    def stop(self) -> None:
        """Send the spans that are left, and trace no more."""
