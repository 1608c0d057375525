"""An OpenTelemetry collector in a thread: it takes OTLP over HTTP, and shows traces as text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Received:
    """A span as it came."""

    process: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: Sequence[tuple[str, str]]
    attributes: dict[str, Any]
    failed: bool
    began: int


@dataclass
class Collector:
    """The spans that came so far."""

    spans: list[Received] = field(default_factory=list)
    url: str = ""

    def named(self, name: str, **attributes: object) -> list[Received]:
        """Return the spans of a name that have these attributes of ours."""
        wanted = {f"halo.{key}": value for key, value in attributes.items()}
        return [
            each
            for each in self.spans
            if each.name == name and wanted.items() <= each.attributes.items()
        ]

    def drawn(self, trace_id: str) -> list[str]:
        """Return the trace as lines, each span below its parent, in the order they began."""
        mine = [each for each in self.spans if each.trace_id == trace_id]
        known = {each.span_id for each in mine}
        return list(self._below(mine, [each for each in mine if each.parent_id not in known], 0))

    def _below(self, all_: list[Received], some: list[Received], depth: int) -> Iterator[str]:
        for each in sorted(some, key=lambda span: span.began):
            yield f"{'  ' * depth}{each.process} {each.name}"
            yield from self._below(
                all_, [span for span in all_ if span.parent_id == each.span_id], depth + 1
            )


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector on a free port."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            collector.spans += _read(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()


def _read(request: ExportTraceServiceRequest) -> Iterator[Received]:
    for of_process in request.resource_spans:
        process = _named(of_process.resource.attributes)["service.name"]
        for scope in of_process.scope_spans:
            for span in scope.spans:
                yield Received(
                    process,
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                    _named(span.attributes),
                    span.status.code == span.status.STATUS_CODE_ERROR,
                    span.start_time_unix_nano,
                )


def _named(attributes: Any) -> dict[str, Any]:
    found = {}
    for each in attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        if kind == "array_value":
            value = [item.string_value for item in value.values]
        found[each.key] = value
    return found
