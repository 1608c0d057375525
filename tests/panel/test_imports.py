"""A marketer imports contacts from a file (contract §12, §17)."""

import http.client
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from halo_engine.contacts.consent.subscriptions import SaveListCall, save_list
from halo_engine.domain.roles import Role
from halo_engine.series.lifecycle import activate
from halo_engine.tables import csv_uploads, end_users, subscription_members
from tests.panel.browsing import PHONE, People, Shop, barriers, rows

FILE = (
    "Email Address,First Name,Signed up,Company Size\nann@a.example,Ann,2026-05-01,12\nben,Ben,,9\n"
)
FIRST, SECOND = "ann@a.example", "ben@a.example"


def send(page: Page, content: str | bytes, name: str = "contacts.csv") -> None:
    """Choose a file, and send it."""
    page.goto("/imports")
    data = content.encode() if isinstance(content, str) else content
    page.get_by_label("CSV file").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": data}
    )
    page.get_by_role("button", name="Send the file").click()


def start(page: Page) -> None:
    """Start the import, and wait for its end."""
    page.get_by_role("button", name="Start the import").click()
    expect(page.get_by_role("heading", name="Finished")).to_be_visible()


def goes_into(page: Page, column: str) -> str:
    """Return where a column goes, as its list says."""
    shown: str = (
        page.get_by_label(f"Goes into (column {column})").locator("option:checked").inner_text()
    )
    return shown


def facts(page: Page) -> dict[str, str]:
    """Return the numbers of the page."""
    names = [each.inner_text() for each in page.locator(".facts dt").all()]
    values = [each.inner_text() for each in page.locator(".facts dd").all()]
    return dict(zip(names, values, strict=True))


def emails(shop: Shop) -> list[str]:
    """Return the addresses of the organisation's contacts."""
    found = select(end_users.c.email).where(end_users.c.org_id == shop.sandbox.org.id)
    with shop.site.database.connect() as connection:
        return sorted(connection.scalars(found))


def test_i_import_a_file_by_its_columns(people: People, shop: Shop) -> None:
    """The columns whose names are known go where they belong; after the import its numbers and
    the lines that were left out are there, and the file stands in the list.
    """
    page = people.of(shop, Role.EDITOR)
    send(page, FILE)
    expect(page.get_by_role("heading", name="contacts.csv")).to_be_visible()
    assert [goes_into(page, each) for each in ("Email Address", "First Name", "Signed up")] == [
        "Email",
        "First name",
        "Signed Up",
    ]
    assert goes_into(page, "Company Size") == "Nothing: it is left out"
    assert page.locator(".mapped .hint").first.inner_text() == "ann@a.example · ben"
    assert barriers(page) == []
    start(page)
    said = facts(page)
    assert (said["Lines"], said["New contacts"], said["Lines left out"]) == ("2", "1", "1")
    [[line, column, why]] = rows(page)
    assert (line, column) == ("3", "the whole line")
    assert why.startswith("Email: ‘ben’ is not an email address")
    assert barriers(page) == []
    assert emails(shop) == [FIRST]
    page.get_by_role("link", name="All imports").click()
    [row] = rows(page)
    assert [row[0], row[1], *row[3:]] == ["contacts.csv", "Finished", "2", "1", "0", "1"]
    assert barriers(page) == []


def test_an_import_works_without_a_script(people: People, shop: Shop) -> None:
    """Whoever has no script sends the file, maps it and sees it finished all the same."""
    page = people.of(shop, java_script_enabled=False)
    send(page, FILE)
    page.get_by_role("button", name="Start the import").click()
    expect(page.get_by_role("heading", name="Finished")).to_be_visible()
    assert facts(page)["New contacts"] == "1"


def test_an_import_works_by_keyboard(people: People, shop: Shop) -> None:
    """From the file to the start no mouse is needed; Enter in an input imports nothing."""
    page = people.of(shop)
    page.goto("/imports")
    page.get_by_label("CSV file").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"email\nann@a.example\n"}
    )
    page.get_by_label("CSV file").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="a.csv")).to_be_visible()
    page.get_by_label("Words that mean an empty cell").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Try it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What the import would do")).to_be_visible()
    assert emails(shop) == []
    page.get_by_role("button", name="Try it").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Finished")).to_be_visible()
    assert emails(shop) == [FIRST]


def test_a_trial_says_what_would_happen(people: People, shop: Shop) -> None:
    """A trial counts new contacts and lines left out, names the series that they would enter, and
    writes nothing.
    """
    shop.draft("welcome")
    shop.sandbox.perform(lambda work: activate(work, "welcome", "Ann"))
    page = people.of(shop)
    send(page, FILE)
    page.get_by_role("button", name="Try it").click()
    card = page.locator("#trial")
    expect(card.get_by_role("status")).to_have_text(
        "Of 2 lines: 1 new contact, 0 changed, 1 left out. Nothing was written."
    )
    expect(card.get_by_text("1 contact would enter welcome at once.")).to_be_visible()
    assert [row[0] for row in rows(page)] == ["3"]
    assert barriers(page) == []
    assert emails(shop) == []


def test_columns_become_custom_fields_lists_and_dates(people: People, shop: Shop) -> None:
    """A column goes into a custom field under a name of mine, onto a list, or is a date as I say
    it is written.
    """
    shop.sandbox.perform(lambda work: save_list(work, SaveListCall(list="news")))
    page = people.of(shop)
    send(page, "email,Seats,News,Joined\nann@a.example,12,yes,31.05.2026\n")
    page.get_by_label("Goes into (column Seats)").select_option("custom")
    expect(page.locator("#custom\\.1")).to_have_value("seats")
    page.locator("#custom\\.1").fill("size")
    page.locator("#type\\.1").select_option("Text")
    page.get_by_label("Goes into (column News)").select_option("list")
    page.locator("#list\\.2").fill("news")
    page.get_by_label("Goes into (column Joined)").select_option("Signed Up")
    page.locator("#dates\\.3").fill("DD.MM.YYYY")
    start(page)
    with shop.site.database.connect() as connection:
        contact = connection.execute(
            select(end_users).where(end_users.c.org_id == shop.sandbox.org.id)
        ).one()
        on_it = select(func.count()).where(subscription_members.c.end_user_id == contact.id)
        assert connection.scalar(on_it) == 1
    assert contact.custom_fields == {"size": "12"}
    assert contact.signed_up_at.isoformat() == "2026-05-31T00:00:00+00:00"


def test_only_what_a_column_needs_is_asked(people: People, shop: Shop) -> None:
    """The name of a custom field, a list and a format of dates are asked where the column goes
    there.
    """
    page = people.of(shop)
    send(page, "email,Seats\nann@a.example,12\n")
    parts = page.locator("#custom\\.1, #list\\.1, #dates\\.1")
    assert [each.is_visible() for each in parts.all()] == [False] * 3
    page.get_by_label("Goes into (column Seats)").select_option("list")
    assert [each.is_visible() for each in parts.all()] == [False, True, False]
    page.get_by_label("Goes into (column Seats)").select_option("custom")
    assert [each.is_visible() for each in parts.all()] == [True, False, True]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"\n\n  \n", "The file is empty"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00", "The file is an Excel workbook"),
        (b'email,"name\nann@a.example,Ann\n', "a quote in it is not closed"),
        (b"e\0m\0a\0i\0l\0\n\0", "Letters are in"),
    ],
)
def test_a_file_that_is_no_csv_says_so_by_its_field(
    people: People, shop: Shop, content: bytes, said: str
) -> None:
    """A file that cannot be read is refused where I chose it, or asks how it is written."""
    page = people.of(shop)
    send(page, content)
    expect(page.locator(".wrong .error, .notice.bad").first).to_contain_text(said)
    assert barriers(page) == []
    assert emails(shop) == []


def test_a_file_that_nothing_can_be_read_from_does_not_stay(people: People, shop: Shop) -> None:
    """Whatever is refused at once is deleted, and does not stand in the list."""
    page = people.of(shop)
    send(page, b"%PDF-1.7")
    expect(page.get_by_label("CSV file")).to_have_attribute("aria-invalid", "true")
    found = select(func.count()).where(csv_uploads.c.org_id == shop.sandbox.org.id)
    with shop.site.database.connect() as connection:
        assert connection.scalar(found) == 0


def test_no_file_is_a_sentence_by_its_field(people: People, shop: Shop) -> None:
    """Who sends without having chosen a file is told to choose one."""
    page = people.of(shop, java_script_enabled=False)
    page.goto("/imports")
    page.get_by_label("CSV file").evaluate("input => input.removeAttribute('required')")
    page.get_by_role("button", name="Send the file").click()
    expect(page.locator(".error")).to_contain_text("Choose a file first")


def test_a_file_that_is_too_large_is_not_sent(people: People, shop: Shop) -> None:
    """The page says so by the field as soon as the file is chosen, and does not send it."""
    page = people.of(shop)
    page.goto("/imports")
    page.get_by_label("CSV file").evaluate("input => { input.dataset.largest = '10' }")
    page.get_by_label("CSV file").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"email\nann@a.example\n"}
    )
    expect(page.locator(".error")).to_have_text("The file is too large; allowed are 2 GiB.")
    page.get_by_role("button", name="Send the file").click()
    expect(page.get_by_role("heading", name="Imports", level=1)).to_be_visible()
    assert barriers(page) == []


def test_the_server_refuses_a_file_that_is_too_large(people: People, shop: Shop) -> None:
    """Without a script the server says the same by the field, before it reads the file."""
    parts = urlsplit(people.site.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    headers = {
        "Cookie": f"halo_session={shop.session()}",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "multipart/form-data; boundary=cut",
        "Content-Length": str(3 * 1024**3),
    }
    connection.putrequest("POST", "/imports")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    assert answer.status == 400
    assert "The file is too large; allowed are 2 GiB." in said


def test_letters_of_windows_are_read_when_i_say_so(people: People, shop: Shop) -> None:
    """A file whose letters are no UTF-8 is shown as such, until I choose what they are."""
    page = people.of(shop)
    send(page, "email,Name\nann@a.example,Müller\n".encode("windows-1252"))
    letters = page.get_by_label("Letters are in")
    expect(letters).to_have_attribute("aria-invalid", "true")
    letters.select_option("Windows, Western Europe")
    page.get_by_role("button", name="Read the file again").click()
    expect(page.get_by_text("Müller", exact=True)).to_be_visible()
    expect(letters).not_to_have_attribute("aria-invalid", "true")
    start(page)
    found = select(end_users.c.name).where(end_users.c.org_id == shop.sandbox.org.id)
    with shop.site.database.connect() as connection:
        assert connection.scalar(found) == "Müller"


def test_what_is_wrong_with_a_column_is_said_at_it(people: People, shop: Shop) -> None:
    """Two columns of one field, and a format that is none, are said at their inputs; what I chose
    stays.
    """
    page = people.of(shop)
    send(page, "email,Mail 2,Joined\nann@a.example,ann@b.example,\n")
    page.get_by_label("Goes into (column Mail 2)").select_option("Email")
    page.get_by_label("Goes into (column Joined)").select_option("Signed Up")
    page.locator("#dates\\.2").fill("whenever")
    page.get_by_role("button", name="Start the import").click()
    expect(page.get_by_role("alert")).to_be_focused()
    second = page.get_by_label("Goes into (column Mail 2)")
    expect(second).to_have_attribute("aria-invalid", "true")
    assert goes_into(page, "Mail 2") == "Email"
    expect(page.locator("#dates\\.2")).to_have_attribute("aria-invalid", "true")
    assert barriers(page) == []
    second.select_option("")
    page.locator("#dates\\.2").fill("")
    start(page)
    assert emails(shop) == [FIRST]


def test_a_file_that_names_nobody_is_not_started(people: People, shop: Shop) -> None:
    """A mapping needs the email or the user ID, and says so."""
    page = people.of(shop)
    send(page, "name\nAnn\n")
    page.get_by_role("button", name="Start the import").click()
    expect(page.get_by_role("alert")).to_contain_text("one must go into Email or User ID")


def test_a_started_import_is_not_started_again(people: People, shop: Shop) -> None:
    """Whoever presses the button in a second tab comes to the import that runs."""
    page = people.of(shop)
    send(page, FILE)
    expect(page.get_by_role("heading", name="contacts.csv")).to_be_visible()
    other = page.context.new_page()
    other.goto(page.url)
    start(page)
    other.get_by_role("button", name="Start the import").click()
    expect(other.get_by_role("heading", name="Finished")).to_be_visible()
    assert emails(shop) == [FIRST]


def test_a_file_can_be_discarded(people: People, shop: Shop) -> None:
    """A file that I sent by mistake is gone when I discard it."""
    page = people.of(shop)
    send(page, FILE)
    page.get_by_text("Discard the file …").click()
    page.get_by_role("button", name="Yes, discard it").click()
    expect(page.get_by_text("No file has been imported yet.")).to_be_visible()


def test_a_viewer_sees_imports_and_no_button(people: People, shop: Shop) -> None:
    """A viewer sees the list and each import, and no control that would be refused."""
    page = people.of(shop, Role.EDITOR)
    send(page, FILE)
    expect(page.get_by_role("heading", name="contacts.csv")).to_be_visible()
    viewer = people.of(shop, Role.VIEWER, "Vic")
    viewer.goto("/imports")
    viewer.get_by_role("link", name="contacts.csv").click()
    expect(viewer.get_by_text("It waits for an editor")).to_be_visible()
    start(page)
    viewer.reload()
    expect(viewer.get_by_role("heading", name="Finished")).to_be_visible()
    for path in ("/imports", viewer.url):
        viewer.goto(path)
        assert {each.inner_text() for each in viewer.get_by_role("button").all()} == {"Sign out"}
        assert barriers(viewer) == []


def test_the_empty_page_says_what_to_do_first(people: People, shop: Shop) -> None:
    """Before the first import the page says what to export, and has the way to send it."""
    page = people.of(shop, color_scheme="dark")
    page.goto("/imports")
    expect(page.get_by_text("Export your contacts as CSV")).to_be_visible()
    assert barriers(page) == []


def test_a_hostile_file_does_nothing_to_the_page(people: People, shop: Shop) -> None:
    """Names, headers and cells are shown as what they are, whatever they hold."""
    page = people.of(shop, viewport=PHONE, color_scheme="dark")
    evil = "<img src=x onerror=alert(1)>"
    content = f'email,"{evil}","a\r\nb",{"x" * 5000}\n"{evil}",{evil},{{{{ 7*7 }}}},y\n'
    send(page, content, f"{evil}.csv")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{evil}.csv")
    assert page.locator("main img").count() == 0
    page.locator("select[id='into.1']").select_option("custom")
    page.locator("select[id='into.2']").select_option("custom")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert barriers(page) == []
    start(page)
    expect(page.get_by_role("cell", name="Why")).to_have_count(0)
    assert page.locator("main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert barriers(page) == []


def test_an_import_of_another_organisation_is_not_there(people: People, shop: Shop) -> None:
    """An import's address leads nobody of another organisation to it."""
    page = people.of(shop)
    send(page, FILE)
    expect(page.get_by_role("heading", name="contacts.csv")).to_be_visible()
    other = people.of(people.site.organization("Beta"))
    other.goto(page.url)
    expect(other.get_by_role("heading", name="There is nothing here")).to_be_visible()
