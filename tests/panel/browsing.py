"""What the tests of the panel browse with: a site, organisations in it, pages of people."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
from sqlalchemy import Engine, func, insert

from halo_engine.domain.roles import Role
from halo_engine.operators.keys import CreatedKey, CreateKeyCall, create_key
from halo_engine.operators.proof import Keyring
from halo_engine.operators.sessions import Sessions
from halo_engine.series.lifecycle import activate
from halo_engine.series.save import parse_definition, save_series
from halo_engine.tables import organizations
from halo_engine.work import OrgRef, Work
from tests.pipeline.sandbox import Sandbox

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 320, "height": 640}
#: What a page must hold: WCAG 2.2, levels A and AA.
_RULES: Final = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
    # The only frame is a mail in its sandbox, where no script runs, axe's neither.
    "iframes": False,
}
_axe = Axe()


@dataclass(frozen=True)
class Site:
    """A running web process with a worker, and the database behind them."""

    url: str
    database: Engine

    def organization(self, name: str = "Acme", **settings: Any) -> "Shop":
        """Make an organisation, ready for marketing mail."""
        key = f"panel-{uuid4()}"
        row = {
            "key": key,
            "name": name,
            "widget_key": f"ab_live_{key}",
            "verified_domain": True,
            "company_footer": "Acme Ltd, 1 Main Street, Springfield",
            "created_at": func.now(),
            "reevaluated_at": func.now(),
            **settings,
        }
        with self.database.begin() as connection:
            made = insert(organizations).values(row).returning(organizations.c.id)
            org_id = connection.execute(made).scalar_one()
        return Shop(self, Sandbox(self.database, OrgRef(id=org_id), datetime.now(UTC)))


@dataclass(frozen=True)
class Shop:
    """An organisation whose series a marketer works on."""

    site: Site
    sandbox: Sandbox

    def key(self, role: Role = Role.ADMIN, name: str = "Ann", **given: Any) -> CreatedKey:
        """Make an operator key."""
        call = CreateKeyCall.model_validate({"role": role, "name": name, **given})
        return self.sandbox.perform(lambda work: create_key(work, call))

    def session(self, role: Role = Role.ADMIN, name: str = "Ann") -> str:
        """Begin a session; return its id."""
        database = self.site.database
        return Sessions(database, Keyring(database)).sign_in(self.key(role, name).key)

    def draft(self, key: str, **definition: Any) -> None:
        """Save a series that nobody has activated."""
        email = {"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}
        data = {"entry_trigger": "user_created", "steps": [email], **definition}

        def save(work: Work) -> None:
            save_series(work, key, parse_definition(key, data))

        self.sandbox.perform(save)

    def enter(self, key: str, users: Iterable[str]) -> None:
        """Activate a series and let new users enter it."""
        sandbox = self.sandbox
        sandbox.perform(lambda work: activate(work, key, "Ann"))
        sandbox.signal(sandbox.contacts(users))
        sandbox.settle()


@dataclass
class People:
    """Opens pages for people; each has a browser's context of their own.

    ``faults`` are what their browsers said of our pages: errors of scripts, refused loads.
    """

    browser: Browser
    site: Site
    faults: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def anybody(self, **context: Any) -> Page:
        """Return a page of somebody who has not signed in."""
        given = {"base_url": self.site.url, "viewport": DESKTOP, "locale": "en-GB", **context}
        made = self.browser.new_context(**given)
        made.set_default_timeout(60_000)
        self._contexts.append(made)
        page = made.new_page()
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        return page

    def of(self, shop: Shop, role: Role = Role.ADMIN, name: str = "Ann", **context: Any) -> Page:
        """Return a page of somebody who signed in to an organisation."""
        page = self.anybody(**context)
        cookie = {"name": "halo_session", "value": shop.session(role, name), "url": self.site.url}
        page.context.add_cookies([cookie])  # type: ignore[list-item]
        return page

    def leave(self) -> None:
        """Close every page."""
        for context in self._contexts:
            context.close()

    def _listen(self, message: ConsoleMessage) -> None:
        # A refusal is an answer, which browsers write down too.
        if message.type in ("error", "warning") and "status of 4" not in message.text:
            self.faults.append(message.text)


def barriers(page: Page) -> list[str]:
    """Return what axe finds on a page: the rule, and where it is broken."""
    found: Mapping[str, Any] = _axe.run(page, options=_RULES).response
    return [
        f"{each['id']}: {', '.join(str(node['target']) for node in each['nodes'])}"
        for each in found["violations"]
    ]


def rows(page: Page) -> Iterator[list[str]]:
    """Yield the cells of each row of the page's first table."""
    for row in page.locator("table").first.locator("tbody tr").all():
        yield [cell.inner_text() for cell in row.locator("th, td").all()]
