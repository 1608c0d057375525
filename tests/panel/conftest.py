"""One web process, one worker and one browser for all tests of the panel.

They last for the package: while Playwright runs, its event loop is the thread's, and tests
elsewhere run loops of their own.
"""

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from sqlalchemy import Engine

from tests.panel.browsing import People, Shop, Site
from tests.platform.browsers import NO_BROWSER, WHY_LEFT_OUT, found_browser
from workers.stack.folders import throwaway_folder
from workers.stack.processes import stack_environment, start_web, start_worker
from workers.stack.servers import Servers

#: Nothing is fetched from elsewhere: no look for updates, no report, no lists.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: Other tests empty the broker's first database.
_OWN_NUMBER = 1


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A real Chromium; without one the tests are left out, or fail where they must run."""
    path = found_browser()
    if path is None:
        if os.environ.get("HALO_TEST_BROWSER") == "required":
            pytest.fail(NO_BROWSER)
        pytest.skip(WHY_LEFT_OUT)
    # As long as a busy machine may need.
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def site(servers: Servers, shared_database: Engine) -> Iterator[Site]:
    """A web process and a worker."""
    url = shared_database.url.render_as_string(hide_password=False)
    own = Servers(url, _numbered(servers.broker_url, _OWN_NUMBER))
    with throwaway_folder("panel") as folder:
        environment = stack_environment(own, web_bind="127.0.0.1:0", mail_folder=folder / "mail")
        worker = start_worker(folder, environment, log=folder / "worker.log")
        try:
            log = folder / "web.log"
            web, address = start_web(folder, environment, log=log)
            try:
                yield Site(address, shared_database)
            finally:
                web.stop()
        finally:
            worker.stop()
        assert not re.search(r"Traceback|\[error\] failed", log.read_text()), log.read_text()


@pytest.fixture
def people(browser: Browser, site: Site) -> Iterator[People]:
    """Whoever opens pages; their browsers must find no fault with them."""
    people = People(browser, site)
    yield people
    people.leave()
    assert people.faults == []


@pytest.fixture
def shop(site: Site) -> Shop:
    """An organisation of the test's own."""
    return site.organization()


def _numbered(broker_url: str, number: int) -> str:
    """Return the URL of another database of a broker."""
    if "virtual_host=" in broker_url:
        return re.sub(r"virtual_host=\d+", f"virtual_host={number}", broker_url)
    place = re.sub(r"(?<=[^/:])/\d*$", "", broker_url.partition("?")[0])
    return f"{place}/{number}"
