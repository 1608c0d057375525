"""A span for each mail that is given to the mail server."""

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer

from halo_engine.mail.transports.transports import Announcing, Failure, Mail, Transport

from .contacts import trace_of


class TracedTransport(Announcing):
    """A transport with a span around each mail, which has a link to its contact's own trace.

    The span has neither the recipient nor the Message-ID, which would tell who got the mail.
    """

    def __init__(self, transport: Transport, tracer: Tracer) -> None:
        self.transport = transport
        self._tracer = tracer

    def announce(self, mail: Mail) -> None:
        """Prepare to send the mail."""
        if isinstance(self.transport, Announcing):
            self.transport.announce(mail)

    def retract(self) -> None:
        """Take back what was announced."""
        if isinstance(self.transport, Announcing):
            self.transport.retract()

    def send(self, mail: Mail, key: str) -> str | None:
        """Send the mail; its outcome is the span's."""
        with self._tracer.start_as_current_span(
            "mail",
            kind=SpanKind.CLIENT,
            links=_links(mail),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return self.transport.send(mail, key)
            except BaseException as error:
                _say_why(span, error)
                raise


def _links(mail: Mail) -> list[Link]:
    if mail.contact_id is None:
        return []
    here = trace.get_current_span().get_span_context()
    return [Link(trace_of(mail.contact_id, here.trace_flags))]


def _say_why(span: Span, error: BaseException) -> None:
    """Note only the type of an error: a server's words may name the recipient."""
    span.set_attribute("halo.outcome", type(error).__name__)
    if not isinstance(error, Failure):
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        return
    span.set_status(Status(StatusCode.ERROR))
