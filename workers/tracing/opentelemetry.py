"""Spans by OpenTelemetry's SDK, sent over HTTP by its own exporter (decision 46)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from halo_engine.mail.transports.transports import Transport

from .causes import MOST_LOGGED, Cause, caused_by
from .contacts import trace_of
from .mail import TracedTransport
from .statements import traced_cursor
from .tracer import Attribute

_PATH: Final = "/v1/traces"
_EXPORT_SECONDS: Final = 5.0
#: A turn with more contacts notes nothing in their traces: it was an import, or an activation.
_MOST_CONTACTS: Final = 50

#: The kinds of spans, by the first word of their names; all others are internal.
_KINDS: Final = {"request": SpanKind.SERVER, "task": SpanKind.CONSUMER}


class OpenTelemetry:
    """Traces a process's work (``tracer.Tracer``)."""

    def __init__(self, endpoint: str, process: str) -> None:
        names = {"service.name": f"halo-{process}", "service.version": version("halo-engine")}
        self._provider = TracerProvider(resource=Resource.create(names), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint.rstrip("/") + _PATH, timeout=_EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("halo")
        #: This process's spans that have not ended: they get a link to a span that has them as
        #: causes.
        self._open: dict[str, Span] = {}
        self.cursor = traced_cursor(self._tracer)

    @contextmanager
    def span(self, name: str, cause: Cause, /, **attributes: Attribute) -> Iterator[None]:
        """Make a span around the block.

        Its parent is the current span, else the one that ``cause`` names. If ``cause`` names
        several, the span begins a trace of its own, with a link to each of them, and those that
        have not ended get a link back.
        """
        here = trace.get_current_span().get_span_context()
        causes = [_read(each) for each in cause.spans]
        context: Context | None = None
        if not here.is_valid:
            parent = NonRecordingSpan(causes[0]) if len(causes) == 1 else None
            context = Context() if parent is None else trace.set_span_in_context(parent, Context())
            here = causes[0] if parent else here
        linked = [each for each in causes if each.span_id != here.span_id]
        made = self._tracer.start_span(
            name,
            context,
            kind=_KINDS.get(name.partition(" ")[0], SpanKind.INTERNAL),
            links=[Link(each) for each in linked],
            attributes={**_said_of(cause), **_named(attributes)},
        )
        mine = _written(made.get_span_context())
        for each in linked:
            if (waits := self._open.get(_written(each))) is not None:
                waits.add_link(made.get_span_context())
        self._open[mine] = made
        # An error's words may repeat a trait: only its type is noted.
        silent = {"record_exception": False, "set_status_on_exception": False}
        try:
            with (
                trace.use_span(made, end_on_exit=False, **silent),
                caused_by(Cause(cause.request_ids, (mine,))),
            ):
                yield
        except BaseException as error:
            made.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            made.end()
            del self._open[mine]

    def add_attributes(self, **attributes: Attribute) -> None:
        """Add attributes to the current span; ``error`` is why it failed."""
        now = trace.get_current_span()
        now.set_attributes(_named(attributes))
        if "name" in attributes:
            now.update_name(str(attributes["name"]))
        if "error" in attributes:
            now.set_status(Status(StatusCode.ERROR, str(attributes["error"])))

    def trace_contacts(self, contacts: Sequence[UUID]) -> None:
        """Make a span in each contact's own trace, with a link to the current span."""
        here = trace.get_current_span().get_span_context()
        if not here.is_valid or len(contacts) > _MOST_CONTACTS:
            return
        for contact in contacts:
            parent = NonRecordingSpan(trace_of(contact, here.trace_flags))
            context = trace.set_span_in_context(parent, Context())
            self._tracer.start_span("contact", context, links=[Link(here)]).end()

    def mailing(self, transport: Transport) -> Transport:
        """Return the transport, with a span around each mail."""
        return TracedTransport(transport, self._tracer)

    def stop(self) -> None:
        """Send the spans that are left, and trace no more."""
        self._provider.shutdown()


def _read(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)))


def _written(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _said_of(cause: Cause) -> dict[str, Sequence[str]]:
    return {"halo.request_id": cause.request_ids[:MOST_LOGGED]} if cause.request_ids else {}


def _named(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    return {f"halo.{name}": value for name, value in attributes.items() if name != "name"}
