"""Web, worker and beat of one installation, and what they log."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.acceptance.conftest import Stack, start_stack
from tests.acceptance.one_stack.test_main_job import draft
from tests.tracing.collector import Collector, collecting
from workers.stack.processes import stack_environment, start_web
from workers.stack.servers import Servers

WELCOME = {
    "entry_trigger": "user_created",
    "steps": [{"key": "hello", "email": {"subject": "Hello", "body": "Hello {{ name }}"}}],
}
#: Fixtures that tests find here.
__all__ = ["site", "start_stack"]

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """Worker, beat and web of one installation, an organisation of it, and what they log."""

    stack: Stack
    url: str
    org: str
    folder: Path
    collector: Collector

    def post(self, user_id: str, **headers: str) -> None:
        """Identify a user over HTTP."""
        traits = {"email": f"{user_id}@a.example", "name": user_id}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(
            f"{self.url}/api/sdk/users/identify",
            json.dumps({"user_id": user_id, "traits": traits}).encode(),
            {"Authorization": f"Bearer {self.org}", "Content-Type": "application/json", **named},
        )
        with urlopen(request, timeout=120) as answer:
            assert answer.status == 200

    def lines(self, process: str) -> list[Line]:
        """Return the whole lines that the process wrote so far, read as JSON."""
        written = (self.folder / f"{process}.log").read_text()
        whole = written[: written.rfind("\n") + 1].splitlines()
        return [json.loads(each) for each in whole if each.startswith("{")]

    def wait_for(self, process: str, event: str, request_id: str) -> Line:
        """Return the first line of an event that names the request; wait for it."""
        found: list[Line] = []

        def is_there() -> bool:
            found[:] = [
                each
                for each in self.lines(process)
                if each["event"] == event and request_id in _ids(each)
            ]
            return bool(found)

        self.stack.wait_until(is_there, f"{event} of {request_id}")
        return found[0]


def _ids(line: Line) -> list[str]:
    return [line["request_id"]] if "request_id" in line else line.get("request_ids", "").split(",")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Run a collector; processes that are started from now on send to it at once."""
    with collecting() as collector, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield collector


@pytest.fixture(scope="module")
def site(
    servers: Servers,
    start_stack: Callable[..., AbstractContextManager[Stack]],
    tmp_path_factory: pytest.TempPathFactory,
    collector: Collector,
) -> Iterator[Site]:
    """Run the three processes, with a series that greets each new user."""
    folder = tmp_path_factory.mktemp("causes")
    settings = {"log_format": "json", "otlp_endpoint": collector.url}
    with start_stack(logs=folder, **settings) as stack:
        own = Servers(stack.database.url.render_as_string(hide_password=False), servers.broker_url)
        environment = stack_environment(own, web_bind="127.0.0.1:0", **settings)
        child, url = start_web(folder, environment, log=folder / "web.log")
        try:
            org = stack.organization()
            draft(stack, org, "welcome", WELCOME)
            stack.ask("halo.series.activate", org=org, series="welcome")
            yield Site(stack, url, org, folder, collector)
        finally:
            child.stop()
