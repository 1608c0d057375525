"""The panel while the database is away (contract §17)."""

from collections.abc import Callable
from http import HTTPStatus

from playwright.sync_api import Browser, expect
from sqlalchemy import Engine

from tests.panel.browsing import People, Site
from tests.web.conftest import running
from workers.stack.servers import Servers


def test_the_panel_says_that_the_database_is_away_and_comes_back(
    browser: Browser, servers: Servers, database: Engine, administrate: Callable[[str], None]
) -> None:
    """While the database is away a page says so, and it comes back without a reload."""
    with running(servers, database) as web:
        site = Site(web.url, database)
        people = People(browser, site)
        shop = site.organization()
        page = people.of(shop)
        page.goto("/series")
        expect(page.get_by_text("There is no series yet.")).to_be_visible()
        shop.draft("welcome", name="Welcome")
        _close(administrate, database)
        answer = page.reload()
        assert answer is not None
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        expect(page.get_by_text("Nothing is lost.")).to_be_visible()
        administrate(f"ALTER DATABASE {database.url.database} ALLOW_CONNECTIONS true")
        expect(page.get_by_role("link", name="Welcome")).to_be_visible(timeout=60_000)
        people.leave()


def _close(administrate: Callable[[str], None], database: Engine) -> None:
    """Let nobody connect to a database, and end whoever is."""
    name = database.url.database
    administrate(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    administrate(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        f"WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    )
    database.dispose()
