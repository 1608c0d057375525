"""The links of mails, followed by people and by machines (contract §9, §16)."""

import re
import socket
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from halo_engine.contacts.consent.lists import SubscribeCall, subscribe
from halo_engine.contacts.consent.subscriptions import SaveListCall, save_list
from halo_engine.domain.machines import SCANNED_WITHIN
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.tables import (
    confirmations,
    followed_links,
    messages,
    organizations,
    subscription_members,
    subscriptions,
    suppressions,
)
from tests.mail.post_office import HELLO, PostOffice
from tests.web.conftest import PATIENCE_SECONDS, Web, running
from workers.stack.children import wait_until
from workers.stack.servers import Servers

ONE_CLICK = b"List-Unsubscribe=One-Click"
PERSON = "Mozilla/5.0 (Macintosh) Firefox/145.0"


class Mailed(PostOffice):
    """An organisation that sent one mail, and the tokens in it."""

    def __init__(self, web: Web) -> None:
        super().__init__(web.database)
        self.web = web
        self.user_id = str(uuid4())
        ann = self.contact("Ann", external_id=self.user_id)
        [self.row_id] = self.enroll(self.series(HELLO), ann)
        self.lease_and_send(MemoryTransport())
        with web.database.connect() as connection:
            own = organizations.c.id == self.org_id
            connection.execute(update(organizations).where(own).values(name="Acme <Inc>"))
            just_now = messages.c.org_id == self.org_id
            connection.execute(update(messages).where(just_now).values(sent_at=func.now()))
            connection.commit()
            self.key = connection.execute(select(organizations.c.mail_key).where(own)).scalar_one()

    def token(self, purpose: Purpose, about: str = "", recipient: int | None = None) -> str:
        """Sign a token of the mail."""
        row = self.row_id if recipient is None else recipient
        return MailToken(purpose, self.org_id, row, about.encode()).signed(self.key)

    def token_of_list(self, key: str) -> str:
        """Sign the token of a mail that leaves a list."""
        lists = dict(self.rows(subscriptions, "key", "id"))
        about = lists[key].bytes
        return MailToken(Purpose.UNSUBSCRIBE, self.org_id, self.row_id, about).signed(self.key)

    def noted(self, name: str) -> bool:
        """Return whether the mail was opened, or clicked."""
        return self.message(self.row_id, name)[0] is not None

    def wait_until_noted(self, name: str) -> None:
        """Wait until it is noted that the mail was opened, or clicked."""
        wait_until(self.web.child, lambda: self.noted(name), f"{name} was noted")

    def left(self) -> bool:
        """Return whether the address is unsubscribed."""
        return bool(self.rows(suppressions, "address"))


@pytest.fixture
def mailed(web: Web) -> Mailed:
    """A mail to Ann."""
    return Mailed(web)


def test_the_link_shows_a_page_with_one_button(web: Web, mailed: Mailed) -> None:
    """The link shows a form with a button, without a script; the address is masked, and nothing
    changes.
    """
    path = f"/u/{mailed.token(Purpose.UNSUBSCRIBE)}"
    page = web.ask("GET", path)
    assert page.status == 200
    html = page.body.decode()
    assert html.count("<button") == 1
    assert '<form method="post">' in html
    assert "a•••@a.example" in html
    assert "Acme &lt;Inc&gt;" in html
    assert "<script" not in html
    for name, value in (
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex"),
    ):
        assert page.headers[name] == value
    assert "script-src" not in page.headers["content-security-policy"]
    assert web.ask("HEAD", path).status == 200
    assert not mailed.left()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (ONE_CLICK, "application/x-www-form-urlencoded"),
        (
            b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nx\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
        (b"", "application/x-www-form-urlencoded"),
        (b"\xff\x00", "text/plain"),
    ],
)
def test_a_post_unsubscribes_whatever_its_body(
    web: Web, mailed: Mailed, body: bytes, kind: str
) -> None:
    """A POST unsubscribes, as mailbox providers or browsers send it, and again has the same
    answer.
    """
    path = f"/u/{mailed.token(Purpose.UNSUBSCRIBE)}"
    for _ in range(2):
        answer = web.ask("POST", path, body, Content_Type=kind)
        assert answer.status == 200
        assert "You are unsubscribed" in answer.body.decode()
        assert "location" not in answer.headers
        assert "set-cookie" not in answer.headers
    assert mailed.left()
    assert "You are unsubscribed" in web.ask("GET", path).body.decode()


UNREADABLE = pytest.mark.parametrize(
    ("body", "headers"),
    [
        (ONE_CLICK, {"Content_Encoding": "gzip"}),
        (ONE_CLICK, {"Content_Encoding": "br"}),
        (b"x" * (1024 * 1024 + 1), {}),
    ],
)


@UNREADABLE
def test_a_post_unsubscribes_though_its_body_cannot_be_read(
    web: Web, mailed: Mailed, body: bytes, headers: dict[str, str]
) -> None:
    """A body that is too large, or packed in a way that is unknown, keeps nobody on a list."""
    path = f"/u/{mailed.token(Purpose.UNSUBSCRIBE)}"
    assert web.ask("POST", path, body, **headers).status == 200
    assert mailed.left()


@UNREADABLE
def test_a_confirmation_looks_at_its_token_alone(
    web: Web, body: bytes, headers: dict[str, str]
) -> None:
    """A confirmation is refused for its token, and for no body."""
    assert web.ask("POST", "/s/x", body, **headers).status == 401


def test_every_answer_below_the_links_is_kept_out_of_logs_and_searches(web: Web) -> None:
    """Refusals too say `no-store`, `no-referrer` and `noindex`."""
    for method, path, status in (
        ("PUT", "/u/x", 405),
        ("POST", "/c/x", 405),
        ("GET", "/c/x", 401),
        ("GET", "/s/x/y", 404),
        ("GET", "/o/", 404),
        ("GET", "/u/%ff", 401),
        ("GET", "/o/%ff", 200),
    ):
        answer = web.ask(method, path)
        assert answer.status == status, path
        found = [answer.headers[name] for name in ("referrer-policy", "x-robots-tag")]
        assert [answer.headers["cache-control"], *found] == ["no-store", "no-referrer", "noindex"]


def preferences(mailed: Mailed, *lists: str) -> str:
    """Put Ann on lists, one after the other; return the path of her page."""
    for key in lists:
        hostile = SaveListCall(list=key, name=f"<b>{key}</b>", description='"><script>x</script>')
        mailed.transact(partial(save_list, call=hostile))
        member = SubscribeCall(contact=mailed.user_id, list=key)
        mailed.transact(partial(subscribe, call=member))
    return f"/u/{mailed.token(Purpose.UNSUBSCRIBE)}"


def sent(fields: list[tuple[str, str]], *, multipart: bool) -> tuple[bytes, str]:
    """Write a form as browsers do; return the body and its type."""
    if not multipart:
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ]
    return "".join([*parts, "--b--\r\n"]).encode(), "multipart/form-data; boundary=b"


def checked(page: bytes) -> dict[str, bool]:
    """Return the lists that a page shows, and whether each is checked."""
    found = re.findall(rb'type="checkbox" id="list-(\w+)"[^>]*?( checked)?(?: aria-[^>]*)?>', page)
    return {key.decode(): bool(is_checked) for key, is_checked in found}


@pytest.mark.parametrize("multipart", [False, True])
def test_the_page_is_a_form_of_lists(web: Web, mailed: Mailed, multipart: bool) -> None:
    """What is unchecked is left, what is checked is joined again; names are only text."""
    path = preferences(mailed, "news", "tips")
    page = web.ask("GET", path).body
    assert checked(page) == {"news": True, "tips": True}
    assert b"<script" not in page
    assert b"&lt;b&gt;news" in page
    shown = [("preferences", "lists"), ("shown", "news"), ("shown", "tips")]
    for lists in (["tips"], [], ["news", "tips"]):
        fields = [*shown, *(("list", key) for key in lists)]
        body, kind = sent(fields, multipart=multipart)
        answer = web.ask("POST", path, body, Content_Type=kind)
        assert answer.status == 200
        assert "Your choice is saved" in answer.body.decode()
        assert checked(answer.body) == {key: key in lists for key in ("news", "tips")}
        assert not mailed.left()


def test_a_mail_of_a_list_offers_everything_apart(web: Web, mailed: Mailed) -> None:
    """One click leaves the list, the page's own button everything; joining again lifts it."""
    preferences(mailed, "news", "tips")
    path = f"/u/{mailed.token_of_list('news')}"
    html = web.ask("GET", path).body.decode()
    assert "Unsubscribe from ‘&lt;b&gt;news&lt;/b&gt;’?" in html
    assert "Unsubscribe from everything" in html
    assert web.ask("POST", path, ONE_CLICK).status == 200
    assert not mailed.left()
    form = "application/x-www-form-urlencoded"
    web.ask("POST", path, b"preferences=everything", Content_Type=form)
    assert mailed.left()
    again = b"preferences=lists&shown=news&shown=tips&list=news"
    answer = web.ask("POST", path, again, Content_Type=form)
    assert checked(answer.body) == {"news": True, "tips": False}
    assert not mailed.left()


def confirming(mailed: Mailed) -> str:
    """Have Ann ask for a list with double opt-in; return the path of the mail's link."""
    mailed.now = datetime.now(UTC)
    made = SaveListCall(list="deals", name="<i>Deals</i>", double_opt_in=True)
    mailed.transact(partial(save_list, call=made))
    asked = SubscribeCall(contact=mailed.user_id, list="deals")
    mailed.transact(partial(subscribe, call=asked))
    [(id_,)] = mailed.rows(confirmations, "id")
    return f"/s/{MailToken(Purpose.CONFIRM, mailed.org_id, id_).signed(mailed.key)}"


def test_a_list_is_confirmed_by_the_button(web: Web, mailed: Mailed) -> None:
    """A scanner that follows the link by HEAD and GET confirms nothing; a POST does, again too."""
    path = confirming(mailed)
    assert web.ask("HEAD", path).status == 200
    page = web.ask("GET", path)
    assert (page.status, page.headers["referrer-policy"]) == (200, "no-referrer")
    html = page.body.decode()
    assert html.count("<button") == 1
    assert "Do you want ‘&lt;i&gt;Deals&lt;/i&gt;’?" in html
    assert "a•••@a.example" in html
    assert mailed.rows(subscription_members, "end_user_id") == []
    for _ in range(2):
        answer = web.ask("POST", path, b"")
        assert answer.status == 200
        assert "You are subscribed" in answer.body.decode()
    assert len(mailed.rows(subscription_members, "end_user_id")) == 1
    assert "You are subscribed" in web.ask("GET", path).body.decode()
    web.ask("POST", f"/u/{mailed.token(Purpose.UNSUBSCRIBE)}", ONE_CLICK)
    over = web.ask("POST", path, b"")
    assert (over.status, "This link is over" in over.body.decode()) == (410, True)
    assert web.ask("GET", f"/s/{mailed.token(Purpose.UNSUBSCRIBE)}").status == 401


def test_a_click_leads_on_and_is_noted(web: Web, mailed: Mailed) -> None:
    """A click is noted and redirected to the URL of its token."""
    url = "https://acme.example/start?a=1&b=%20#c"
    answer = web.ask("GET", f"/c/{mailed.token(Purpose.CLICK, url)}", User_Agent=PERSON)
    assert (answer.status, answer.headers["location"]) == (302, url)
    mailed.wait_until_noted("clicked_at")
    assert not mailed.noted("opened_at")


def test_an_open_is_a_picture_and_is_noted(web: Web, mailed: Mailed) -> None:
    """An open is noted and answered with a pixel, whatever the token is."""
    answer = web.ask("GET", f"/o/{mailed.token(Purpose.OPEN)}", User_Agent=PERSON)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/gif")
    assert answer.body.startswith(b"GIF89a")
    mailed.wait_until_noted("opened_at")
    assert web.ask("GET", "/o/nonsense").body == answer.body


@pytest.mark.parametrize("path", ["u", "c"])
@pytest.mark.parametrize("wrong", ["cut", "purpose", "organisation", "nonsense"])
def test_a_token_that_is_not_ours_does_nothing(
    web: Web, mailed: Mailed, path: str, wrong: str
) -> None:
    """A bad token redirects nowhere, and a page says so."""
    purpose = Purpose.CLICK if path == "c" else Purpose.UNSUBSCRIBE
    token = {
        "cut": mailed.token(purpose, "https://acme.example")[:-2],
        "purpose": mailed.token(Purpose.OPEN, "https://acme.example"),
        "organisation": MailToken(purpose, UUID(int=9), 1).signed(mailed.key),
        "nonsense": "x" * 90,
    }[wrong]
    for method in ("GET", "POST") if path == "u" else ("GET",):
        answer = web.ask(method, f"/{path}/{token}")
        assert answer.status == 401
        assert "This link does not work" in answer.body.decode()
        assert "location" not in answer.headers
    assert not mailed.left()


def followed_at_once(web: Web, *paths: str) -> list[int]:
    """Follow links by requests in one packet, between which no busy machine lets time pass; return
    what they were answered.
    """
    with socket.create_connection(web.place, timeout=PATIENCE_SECONDS) as connection:
        head = f"HTTP/1.1\r\nHost: x\r\nUser-Agent: {PERSON}\r\n"
        requests = "\r\n".join(f"GET {path} {head}" for path in paths)
        connection.sendall(f"{requests}Connection: close\r\n\r\n".encode())
        read = b""
        while chunk := connection.recv(65536):
            read += chunk
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", read)]


def test_a_scanner_that_follows_every_link_is_no_reader(web: Web, mailed: Mailed) -> None:
    """A scanner's HEAD and GET unsubscribe nobody and count no click; a later click counts."""
    urls = [f"https://acme.example/{number}" for number in range(4)]
    paths = [f"/c/{mailed.token(Purpose.CLICK, url)}" for url in urls]
    paths.append(f"/u/{mailed.token(Purpose.UNSUBSCRIBE)}")
    assert {web.ask("HEAD", path).status for path in paths} <= {200, 302}
    assert followed_at_once(web, *paths) == [302] * len(urls) + [200]
    mailed.wait_until_noted("machine_clicked_at")
    web.ask("GET", paths[0], User_Agent=PERSON)
    mailed.wait_until_noted("clicked_at")
    by_person, by_machine = mailed.message(mailed.row_id, "clicked_at", "machine_clicked_at")
    # All of the scan was noted before this click, and none of it as a person's.
    assert by_person - by_machine > SCANNED_WITHIN
    assert not mailed.noted("opened_at")
    assert not mailed.left()


def test_a_scanner_is_known_whichever_process_answers(
    web: Web, mailed: Mailed, servers: Servers
) -> None:
    """Its requests are spread over two processes: each sees links that may be a person's."""
    urls = [f"https://acme.example/{number}" for number in range(6)]
    with running(servers, web.database) as other:
        both = (web, other)
        for each in both:
            # From here on each knows the organisation's key, and answers at once.
            each.ask("GET", f"/o/{mailed.token(Purpose.OPEN)}", User_Agent="Mozilla/5.0")
        paths = [f"/c/{mailed.token(Purpose.CLICK, url)}" for url in urls]
        for number, each in enumerate(both):
            assert followed_at_once(each, *paths[number::2]) == [302] * 3

        def all_are_judged() -> bool:
            return mailed.rows(followed_links, "judged") == [(True,)] * len(urls)

        wait_until(web.child, all_are_judged, "all clicks are judged")
    assert mailed.noted("machine_clicked_at")
    assert not mailed.noted("clicked_at")
    assert not mailed.noted("opened_at")


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"Purpose": "prefetch"}),
        ("GET", {"Sec_Purpose": "prefetch;prerender"}),
        ("GET", {"User_Agent": "Mozilla/5.0"}),
    ],
)
def test_a_prefetch_is_no_open(
    web: Web, mailed: Mailed, method: str, headers: dict[str, str]
) -> None:
    """A prefetch by a browser, or by Apple's proxy soon after the sending, is no open."""
    web.ask(method, f"/o/{mailed.token(Purpose.OPEN)}", None, **headers)
    mailed.wait_until_noted("machine_opened_at")
    assert not mailed.noted("opened_at")
