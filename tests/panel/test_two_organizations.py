"""Two organisations in two tabs of one browser, which share one session (contract §17)."""

from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from halo_engine.tables import csv_uploads, organizations
from tests.panel.browsing import People, Shop, Site
from tests.panel.test_security import OURS, ask


def sign_in_elsewhere(page: Page, shop: Shop) -> Page:
    """Sign in to another organisation in a second tab of the same browser; return the tab."""
    tab = page.context.new_page()
    tab.goto("/sign-in")
    tab.get_by_label("Operator key").fill(shop.key().key)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_role("heading", name="Series", level=1)).to_be_visible()
    return tab


def name_of(shop: Shop) -> str:
    """Return the organisation's name."""
    found = select(organizations.c.name).where(organizations.c.id == shop.sandbox.org.id)
    with shop.site.database.connect() as connection:
        return str(connection.scalar(found))


def test_no_save_of_one_tab_lands_in_the_other_organisation(people: People, site: Site) -> None:
    """Whoever saves in the first tab, after signing in elsewhere in the second, changes neither
    organisation and is told why.
    """
    acme, beta = site.organization("Acme"), site.organization("Beta")
    page = people.of(acme)
    page.goto("/settings")
    sign_in_elsewhere(page, beta)
    page.get_by_label("Name", exact=True).fill("Renamed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("This browser is signed in to Beta now")).to_be_visible()
    assert (name_of(acme), name_of(beta)) == ("Acme", "Beta")


def test_no_file_of_one_tab_lands_in_the_other_organisation(people: People, site: Site) -> None:
    """A file that is sent from the first tab is kept in neither organisation."""
    page = people.of(site.organization("Acme"))
    page.goto("/imports")
    beta = site.organization("Beta")
    sign_in_elsewhere(page, beta)
    page.get_by_label("CSV file").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"email\nann@a.example\n"}
    )
    page.get_by_role("button", name="Send the file").click()
    expect(page.get_by_text("This browser is signed in to Beta now")).to_be_visible()
    found = select(func.count()).where(csv_uploads.c.org_id == beta.sandbox.org.id)
    with site.database.connect() as connection:
        assert connection.scalar(found) == 0


def test_the_page_says_that_another_tab_changed_the_organisation(
    people: People, site: Site
) -> None:
    """The first tab says at once whose page it is, and whose session the browser has now; a page
    that is opened there says that it is the other one's.
    """
    page = people.of(site.organization("Acme"))
    page.goto("/settings")
    sign_in_elsewhere(page, site.organization("Beta"))
    expect(page.get_by_role("alert")).to_contain_text(
        "This page is of Acme. In another tab you signed in to Beta"
    )
    page.goto("/series")
    expect(page.get_by_role("alert")).to_contain_text("This tab was at Acme. It is at Beta now")
    page.goto("/settings")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_form_that_names_no_organisation_is_refused(people: People, shop: Shop) -> None:
    """A form that is not one of ours changes nothing."""
    cookie = f"halo_session={shop.session()}"
    answer = ask(people.site, "POST", "/settings", {"name": "Renamed"}, Cookie=cookie, **OURS)
    assert answer.status == 409
    assert name_of(shop) == "Acme"
