"""`python -m manual.screenshots` takes pictures of the panel's pages into docs/panel, and of the
pages behind the links of mails into docs/guides.

It serves the sample organisation, and needs a Chromium (`apt-get install chromium`).
"""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import select

from halo_engine import migrate
from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.subscriptions import SaveListCall, save_list
from halo_engine.database import create_engine
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.engine import Engine
from halo_engine.operators.proof import Keyring
from halo_engine.operators.sessions import Sessions
from halo_engine.settings import Settings
from halo_engine.tables import confirmations, end_users, messages
from halo_engine.work import OrgRef, Work
from manual.scenes import CONTACT, SCENES, import_files
from workers.demo.sample import offer_sample
from workers.mail import post_office
from workers.stack.folders import throwaway_folder
from workers.stack.processes import stack_environment, start_web
from workers.stack.servers import running_servers

#: A width in pixels, in light or dark.
View = tuple[int, Literal["light", "dark"]]

FOLDER: Final = Path(__file__).parents[1] / "docs" / "panel"
#: As on a computer, a tablet and a phone.
VIEWS: Final[Sequence[View]] = ((1280, "light"), (1280, "dark"), (768, "light"), (320, "dark"))
#: In pixels; of a longer page the rest is left out.
_TALLEST: Final = 1600
_HEIGHT: Final = 800
_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")

#: What is pictured: a name for the file, and the path of the page; ``{contact}``
#: is the id of one, ``{waiting}`` and ``{imported}`` those of files.
PICTURES: Final[Mapping[str, str]] = {
    "sign-in": "/sign-in",
    "series": "/series",
    "rules": "/series/renewal",
    "steps": "/series/renewal/steps",
    "step": "/series/renewal/steps/soon",
    "condition": "/series/renewal/new-step?kind=condition",
    "progress": "/series/renewal/progress",
    "why": "/series/renewal/why",
    "new-series": "/new-series",
    "review": "/series/renewal",
    "conflict": "/series/renewal",
    "stop": "/series/renewal/stop",
    "preview": "/series/renewal/preview/soon",
    "imports": "/imports",
    "import": "/imports/{waiting}",
    "imported": "/imports/{imported}",
    "contacts": "/contacts",
    "contact": "/contacts/{contact}",
    "settings": "/settings",
    "keys": "/settings/keys",
}

#: Where the pictures of the pages behind links go, and in which views they are taken.
GUIDES: Final = FOLDER.parent / "guides"
LINK_VIEWS: Final[Sequence[View]] = ((768, "light"), (768, "dark"), (320, "light"), (320, "dark"))
LINK_PICTURES: Final = ("preferences", "confirm")

_TOPICS: Final = (
    SaveListCall(list="news", name="News", description="Once a month: what is new."),
    SaveListCall(list="tips", name="Tips", description="How others work with it."),
    SaveListCall(list="offers", name="Offers", double_opt_in=True),
)


class Site(NamedTuple):
    """The sample, served: where, the id of an admin's session, the ids that paths name, and the
    paths behind links of mails (``LINK_PICTURES``).
    """

    url: str
    session: str
    ids: Mapping[str, str]
    links: Mapping[str, str]


@contextmanager
def sample_site() -> Iterator[Site]:
    """Serve the sample organisation, in which all that waited is done."""
    with throwaway_folder("pictures") as folder, running_servers(folder) as servers:
        mail = folder / "mail"
        settings = Settings(
            database_url=servers.database_url, broker_url=servers.broker_url, mail_folder=mail
        )
        migrate.upgrade(servers.database_url)
        sample = offer_sample(servers.database_url, settings)
        database = create_engine(servers.database_url, application_name="halo-pictures")
        engine = Engine(database, post_office(settings))
        org_id = engine.ask(OrgRef(key=sample.org), lambda work: work.org_id)
        for _ in engine.settle(org_id):
            pass
        links = dict(zip(LINK_PICTURES, engine.perform(OrgRef(id=org_id), _follow), strict=True))
        environment = stack_environment(servers, web_bind="127.0.0.1:0", mail_folder=mail)
        web, url = start_web(folder, environment, log=folder / "web.log")
        try:
            session = Sessions(database, Keyring(database)).sign_in(sample.key)
            with database.connect() as connection:
                asked = select(end_users.c.id).where(end_users.c.external_id == CONTACT)
                contact = connection.execute(asked).scalar_one()
            imported, waiting = import_files(engine, OrgRef(id=org_id))
            ids = {"contact": contact, "imported": imported, "waiting": waiting}
            yield Site(url, session, {name: str(each) for name, each in ids.items()}, links)
        finally:
            web.stop()
            database.dispose()


def _follow(work: Work) -> tuple[str, str]:
    """Put somebody who got a mail on lists; return the paths of the links that it may follow."""
    mail = select(messages.c.recipient_id, end_users.c.external_id).join_from(messages, end_users)
    of_user = mail.where(messages.c.org_id == work.org_id, end_users.c.external_id.is_not(None))
    recipient_id, user_id = work.connection.execute(of_user.limit(1)).one()
    for topic in _TOPICS:
        save_list(work, topic)
        subscribe(work, SubscribeCall(contact=user_id, list=topic.list))
    unsubscribe(work, UnsubscribeCall(contact=user_id, list="tips"))
    asked = work.connection.scalar(select(confirmations.c.id).limit(1))
    unsubscribes = MailToken(Purpose.UNSUBSCRIBE, work.org_id, recipient_id)
    confirms = MailToken(Purpose.CONFIRM, work.org_id, int(asked or 0))
    key = work.org.mail_key
    return f"/u/{unsubscribes.signed(key)}", f"/s/{confirms.signed(key)}"


def take(
    browser: Browser, site: Site, folder: Path, names: Mapping[str, str], views: Sequence[View]
) -> None:
    """Write a picture of each page in each view."""
    host = str(urlsplit(site.url).hostname)
    cookie = {"name": "halo_session", "value": site.session, "domain": host, "path": "/"}
    for width, scheme in views:
        for name, path in names.items():
            # What a scene typed is kept in its browser: it is not to come back in the next.
            context = browser.new_context(
                base_url=site.url,
                color_scheme=scheme,
                viewport={"width": width, "height": _HEIGHT},
            )
            context.add_cookies([cookie])  # type: ignore[list-item]
            page = context.new_page()
            page.goto(path.format(**site.ids))
            if name in SCENES:
                SCENES[name](page)
            page.wait_for_load_state("networkidle")
            height: int = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": width, "height": min(height, _TALLEST)})
            page.screenshot(path=folder / f"{name}-{width}-{scheme}.png")
            context.close()


def main(names: list[str]) -> None:
    """Take all pictures, or those of the names that are given."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no Chromium is installed; on Debian: apt-get install chromium")
    names = names or [*PICTURES, *LINK_PICTURES]
    FOLDER.mkdir(exist_ok=True)
    with sample_site() as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        pages = {name: PICTURES[name] for name in names if name not in LINK_PICTURES}
        take(browser, site, FOLDER, pages, VIEWS)
        links = {name: site.links[name] for name in names if name in LINK_PICTURES}
        take(browser, site, GUIDES, links, LINK_VIEWS)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
