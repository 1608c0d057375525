"""A span for each SQL statement, by its name."""

from typing import Any, Self

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from psycopg.pq import PipelineStatus

from halo_engine.sql.planning import Cursor
from halo_engine.sql.statements import name_in

_NAMELESS = "statement"


def traced_cursor(tracer: Tracer) -> type[Cursor]:
    """Return the engine's cursor that makes a span of each statement, as part of another span.

    A statement that goes in one round trip with others ends when all of them are answered.
    """

    class TracedCursor(Cursor):
        _waits: Span | None = None

        def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
            if not trace.get_current_span().is_recording():
                return super().execute(query, params, **options)
            text = query if isinstance(query, str) else ""
            span = tracer.start_span(
                name_in(text) or _NAMELESS,
                kind=SpanKind.CLIENT,
                attributes={"db.system.name": "postgresql"},
            )
            try:
                super().execute(query, params, **options)
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                span.end()
                raise
            if self.connection.pgconn.pipeline_status == PipelineStatus.ON:
                self._waits = span
            else:
                span.end()
            return self

        def close(self) -> None:
            super().close()
            if self._waits is not None:
                self._waits.end()
                self._waits = None

    return TracedCursor
