"""Spans as a collector gets them: their parents, their links, and what they leave out."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

from halo_engine.database import create_engine
from halo_engine.mail.transports.transports import Mail, MemoryTransport, PermanentFailure
from halo_engine.settings import ConfigurationError, Settings
from tests.tracing.collector import Collector, Received, collecting
from workers.tracing import spans
from workers.tracing.causes import NOTHING, Cause, current, joined
from workers.tracing.opentelemetry import OpenTelemetry

CONTACT = UUID(int=7)


class Traced:
    """A process that is traced, and what the collector has of it after it stops."""

    def __init__(self, collector: Collector) -> None:
        self.tracer = OpenTelemetry(collector.url, "test")
        self._collector = collector

    def told(self) -> dict[str, Received]:
        """Stop, and return the spans by name."""
        self.tracer.stop()
        return {each.name: each for each in self._collector.spans}


@pytest.fixture
def traced() -> Iterator[Traced]:
    """Trace into a collector of the test's own."""
    with collecting() as collector:
        yield Traced(collector)


def test_a_span_is_part_of_what_leads_to_it(traced: Traced) -> None:
    """A span's parent is the span under way, else the one that its cause names."""
    with traced.tracer.span("request", Cause(("ann",))):
        cause = current()
        with traced.tracer.span("part", cause):
            pass
    with traced.tracer.span("task later", cause):
        pass
    told = traced.told()
    request = told["request"]
    assert request.parent_id == ""
    assert told["part"].parent_id == told["task later"].parent_id == request.span_id
    assert told["part"].links == told["task later"].links == []
    assert told["task later"].attributes == {"halo.request_id": ["ann"]}


def test_work_with_several_causes_is_linked_both_ways(traced: Traced) -> None:
    """Work with several causes is a trace of its own, with links both ways while the callers' spans
    are open.
    """
    causes: list[Cause] = []

    def make_set() -> None:
        with traced.tracer.span("set", joined(causes)):
            pass

    with traced.tracer.span("over", NOTHING):
        causes.append(current())
    with traced.tracer.span("waits", NOTHING):
        causes.append(current())
        with ThreadPoolExecutor(1) as other:
            other.submit(make_set).result()
    told = traced.told()
    made = told["set"]
    assert made.parent_id == ""
    assert made.links == [(told[name].trace_id, told[name].span_id) for name in ("over", "waits")]
    assert told["waits"].links == [(made.trace_id, made.span_id)]
    assert told["over"].links == []


def test_an_error_is_told_by_its_type_alone(traced: Traced) -> None:
    """A span has an error's type, not its message, which may repeat a trait."""
    with pytest.raises(ValueError, match="confidential"), traced.tracer.span("fails", NOTHING):
        raise ValueError("confidential")
    fails = traced.told()["fails"]
    assert fails.failed
    assert "confidential" not in str(fails)


def test_a_statement_is_a_span_within_another(traced: Traced, shared_database: Engine) -> None:
    """A statement is a span under its name, without values, and only inside another span."""
    engine = create_engine(
        shared_database.url.render_as_string(hide_password=False), cursor=traced.tracer.cursor
    )
    fails = text("SELECT /* halo:traced_failure */ 1/0")
    with engine.connect() as connection:
        connection.execute(select(1))
        with traced.tracer.span("turn", NOTHING), pytest.raises(DBAPIError):
            connection.execute(fails)
    engine.dispose()
    told = traced.told()
    assert set(told) == {"turn", "traced_failure"}
    assert told["traced_failure"].parent_id == told["turn"].span_id
    assert told["traced_failure"].failed


def test_a_mail_has_a_link_to_its_contact_and_tells_nobody(traced: Traced) -> None:
    """A mail's span links to its contact, and holds no address, Message-ID or words of a server."""
    transport = traced.tracer.mailing(MemoryTransport())
    with traced.tracer.span("turn", NOTHING):
        traced.tracer.trace_contacts([CONTACT])
        content = b"Subject: confidential\r\n\r\n"
        transport.send(Mail("a@a.example", "ann@a.example", content, CONTACT), "<id@a.example>")
    told = traced.told()
    contact, mail, turn = told["contact"], told["mail"], told["turn"]
    assert [trace for trace, _ in mail.links] == [contact.trace_id]
    assert contact.links == [(turn.trace_id, turn.span_id)]
    assert mail.parent_id == turn.span_id
    assert mail.attributes == {}


def test_a_refused_mail_says_so(traced: Traced) -> None:
    """A refused mail's span has the kind of failure, not the server's words."""

    class Refusing(MemoryTransport):
        def send(self, mail: Mail, key: str) -> None:
            raise PermanentFailure(f"550 no {mail.recipient} as {key}")

    transport = traced.tracer.mailing(Refusing())
    with pytest.raises(PermanentFailure):
        transport.send(Mail("a@a.example", "ann@a.example", b""), "<id@a.example>")
    mail = traced.told()["mail"]
    assert mail.failed
    assert mail.attributes == {"halo.outcome": "PermanentFailure"}


def test_without_an_endpoint_nothing_is_imported() -> None:
    """Without an endpoint OpenTelemetry is not imported, and need not be installed. Redis's client
    imports parts of it for itself.
    """
    program = (
        "import sys, workers.app, workers.web.processes, workers.tasks.beat\n"
        "from workers.tracing.spans import start_tracing, tracer\n"
        "from halo_engine.settings import load_settings\n"
        "start_tracing(load_settings(), 'web')\n"
        "assert tracer() is None\n"
        "assert not any('opentelemetry.exporter' in each for each in sys.modules)\n"
        "assert 'workers.tracing.opentelemetry' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the packages are missing, one line at the start says what to install."""
    monkeypatch.setattr(spans, "find_spec", lambda _: None)
    settings = Settings(otlp_endpoint="http://127.0.0.1:4318")
    with pytest.raises(ConfigurationError, match=r"pip install 'halo-engine\[otel\]'"):
        spans.require_packages(settings)
    spans.require_packages(Settings())


@pytest.mark.parametrize("url", ["collector:4318", "ftp://collector", "http://"])
def test_an_endpoint_is_a_url(url: str) -> None:
    """An endpoint is an http or https URL."""
    with pytest.raises(ValueError, match="is no URL of a collector"):
        Settings(otlp_endpoint=url)
