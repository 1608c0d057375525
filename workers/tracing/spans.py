"""Trace this process's work as spans, if HALO_OTLP_ENDPOINT is set (decision 46).

Without it nothing of OpenTelemetry is imported, and ``span`` only sets the cause.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Final
from uuid import UUID

from halo_engine.settings import ConfigurationError, Settings

from .causes import Cause, caused_by
from .tracer import Attribute, Tracer

_PACKAGE: Final = "opentelemetry"


_started: Final[list[Tracer]] = []


def require_packages(settings: Settings) -> None:
    """Raise ConfigurationError if traces are on and OpenTelemetry is not installed."""
    if settings.otlp_endpoint is not None and find_spec(_PACKAGE) is None:
        problem = "is set, but OpenTelemetry is not installed: pip install 'halo-engine[otel]'"
        raise ConfigurationError(f"HALO_OTLP_ENDPOINT {problem}")


def start_tracing(settings: Settings, process: str) -> None:
    """Trace this process's work from now on, if the settings say where to; not before a fork."""
    stop_tracing()
    require_packages(settings)
    if settings.otlp_endpoint is not None:
        # Imported only here, so that a process without traces need not load it.
        from .opentelemetry import OpenTelemetry  # noqa: PLC0415

        _started.append(OpenTelemetry(settings.otlp_endpoint, process))


def stop_tracing() -> None:
    """Send the spans that are left, and trace no more."""
    while _started:
        _started.pop().stop()


def tracer() -> Tracer | None:
    """Return this process's tracer; None if traces are off."""
    return _started[0] if _started else None


def span(name: str, cause: Cause, /, **attributes: Attribute) -> AbstractContextManager[None]:
    """Return a context that makes ``cause`` the cause of its block, and a span of it if traces are
    on.
    """
    if not _started:
        return caused_by(cause)
    return _started[0].span(name, cause, **attributes)


def add_attributes(**attributes: Attribute) -> None:
    """Add attributes to the current span."""
    if _started:
        _started[0].add_attributes(**attributes)


def trace_contacts(contacts: Sequence[UUID]) -> None:
    """Note in the traces of these contacts that the current work had results for them."""
    if _started:
        _started[0].trace_contacts(contacts)
