"""Segment's client for browsers, unchanged, in Chromium: @segment/analytics-next 1.84.3 (§13)."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from playwright.sync_api import Page, Response, sync_playwright

from halo_engine.tables import end_users, events
from tests.clients.conftest import NODE_SOURCES
from tests.clients.sending import happened, members, rows
from tests.platform.browsers import found_browser
from tests.web.conftest import Web
from workers.stack.children import wait_until

_QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: Requests a second that the server takes: fewer than the page sends at once.
_RATE: Final = 1
_KINDS: Final = 5


@contextmanager
def _application(umd: Path) -> Iterator[str]:
    """Serve an application's page, with Segment's client beside it; yield its origin."""
    page = (NODE_SOURCES / "browser.html").read_bytes()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/":
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=umd))
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a browser; without Chromium the test does not run."""
    chromium = found_browser()
    if chromium is None:
        pytest.skip("Chromium is not there: Segment's client for browsers did not run")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*_QUIET])
        yield browser.new_page()
        browser.close()


def test_a_page_of_another_origin_sends_by_segments_client(
    start: Callable[..., AbstractContextManager[Web]], npm_clients: Path, page: Page
) -> None:
    """Everything arrives once; what the server defers (429) the client sends again."""
    answers: list[Response] = []
    said: list[str] = []
    page.on("response", lambda response: answers.append(response))  # noqa: PLW0108 -- no builtin
    page.on("console", lambda message: said.append(message.text))
    umd = npm_clients / "node_modules" / "@segment" / "analytics-next" / "dist" / "umd"
    with start(web_rate=_RATE) as web, _application(umd) as origin:
        org = web.organization()
        page.goto(origin)
        host = f"{':'.join(map(str, web.place))}/v1"
        call = "([writeKey, apiHost]) => send(writeKey, apiHost)"
        anonymous = page.evaluate(call, [str(org.widget_key), host])

        def all_came() -> bool:
            page.wait_for_timeout(50)
            return _statuses(answers)[200] == _KINDS

        wait_until(web.child, all_came, "each was accepted")
        assert page.evaluate("undelivered") == []
        assert [line for line in said if "CORS" in line] == []
        assert _statuses(answers)[429] > 0
        assert "x-retry-count" in {name for each in answers for name in each.request.headers}
        assert rows(web, org, end_users, "external_id", "email", "signed_up_at") == [
            ("ann", "ann@a.example", datetime(2020, 1, 2, tzinfo=UTC))
        ]
        assert ({"total": 5, "for": "Zoë"},) in rows(web, org, events, "properties")
        assert members(web, org) == [("acme", "Acme", {}, "ann")]
        assert sorted(happened(web, org)) == [
            ("Viewed Docs Index Page", "ann", anonymous),
            ("Viewed Home Screen", "ann", anonymous),
            ("paid", "ann", anonymous),
        ]


def _statuses(answers: list[Response]) -> Counter[int]:
    """Count what the messages were answered."""
    return Counter(each.status for each in answers if "/v1/" in each.url)
