"""What a mail that came in is (contract §2, §3, §6)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.incoming_mail import READ, Kind, read_mail

OURS = "<0f0e@acme.example>"
#: A report as Postfix writes it, and what others write in its places.
REPORT = """\
From: MAILER-DAEMON@mx.b.example
To: hello@acme.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Message-ID: <report@mx.b.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"

--=_b
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.

--=_b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.b.example

{recipients}
--=_b
{returned}
--=_b--
"""
WHOLE = f"Content-Type: message/rfc822\n\nMessage-ID: {OURS}\nSubject: Hello\n\nDear Ann"
HEADERS = f"Content-Type: text/rfc822-headers\n\nSubject: Hello\nMessage-ID: {OURS}\n"
ENCODED = (
    "Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: base64\n\n"
    "TWVzc2FnZS1JRDogPDBmMGVAYWNtZS5leGFtcGxlPgo=\n"
)


def report(*ends: tuple[str, str], returned: str = WHOLE) -> bytes:
    """Write a report about recipients that ended so: action and status."""
    recipients = "\n".join(
        f"Final-Recipient: rfc822; ann@b.example\nAction: {action}\nStatus: {status}\n"
        for action, status in ends
    )
    return REPORT.format(recipients=recipients, returned=returned).encode()


def mail(*headers: str) -> bytes:
    """Write a mail with these headers."""
    return "\n".join(["From: ann@b.example", *headers, "", "Dear Acme"]).encode()


@pytest.mark.parametrize(
    ("ends", "kind"),
    [
        ([("failed", "5.1.1")], Kind.HARD_BOUNCE),
        ([("failed", "5.7.1 (policy)")], Kind.HARD_BOUNCE),
        ([("failed", "5.1.1"), ("failed", "5.1.1")], Kind.HARD_BOUNCE),
        ([("failed", "5.1.1"), ("delivered", "2.0.0")], Kind.SOFT_BOUNCE),
        ([("failed", "4.4.7")], Kind.SOFT_BOUNCE),
        ([("delayed", "4.4.1")], Kind.SOFT_BOUNCE),
        ([("delayed", "5.4.1")], Kind.SOFT_BOUNCE),
        ([("delivered", "2.1.5")], Kind.AUTOMATIC),
        ([("failed", "nonsense")], Kind.AUTOMATIC),
        ([], Kind.AUTOMATIC),
    ],
)
@pytest.mark.parametrize("returned", [WHOLE, HEADERS, ENCODED])
def test_a_delivery_report_is_a_bounce(
    ends: list[tuple[str, str]], kind: Kind, returned: str
) -> None:
    """For good only when it failed for good for everybody; about the mail that it returns."""
    read = read_mail(report(*ends, returned=returned))
    assert (read.kind, read.about) == (kind, (OURS,))


def test_a_report_that_returns_nothing_may_refer() -> None:
    """Some name the mail in their own headers alone."""
    bare = report(("failed", "5.1.1"), returned="Content-Type: text/plain\n\nnothing")
    referring = bare.replace(b"MIME-Version", f"References: {OURS}\nMIME-Version".encode())
    assert read_mail(bare).about == ()
    assert read_mail(referring).about == (OURS,)
    assert read_mail(referring.replace(b"\n", b"\r\n")).about == (OURS,)


def test_a_report_that_is_forwarded_is_no_report() -> None:
    """Who answers us with somebody's bounce attached has answered us."""
    answer = (
        f"In-Reply-To: {OURS}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n"
        "--x\n\nIs this yours?\n--x\nContent-Type: message/rfc822\n\n"
    ).encode()
    other = report(("failed", "5.1.1")).replace(OURS.encode(), b"<other@acme.example>")
    read = read_mail(answer + other + b"\n--x--\n")
    assert (read.kind, read.about) == (Kind.REPLY, (OURS,))


@pytest.mark.parametrize(
    ("headers", "kind", "about"),
    [
        ([f"In-Reply-To: {OURS}"], Kind.REPLY, (OURS,)),
        ([f"References: <a@b> {OURS}"], Kind.REPLY, (OURS, "<a@b>")),
        (
            [f"References: <a@b>\n {OURS}", "In-Reply-To: <c@d>"],
            Kind.REPLY,
            ("<c@d>", OURS, "<a@b>"),
        ),
        ([f"In-reply-to: Your mail of Monday {OURS}"], Kind.REPLY, (OURS,)),
        ([f"In-Reply-To: {OURS}", "Auto-Submitted: no"], Kind.REPLY, (OURS,)),
        (
            [f"In-Reply-To: {OURS}", "Auto-Submitted: auto-replied (vacation)"],
            Kind.AUTOMATIC,
            (OURS,),
        ),
        ([f"In-Reply-To: {OURS}", "auto-submitted: Auto-Generated; x=y"], Kind.AUTOMATIC, (OURS,)),
        ([f"In-Reply-To: {OURS}", "Precedence: bulk"], Kind.AUTOMATIC, (OURS,)),
        ([f"In-Reply-To: {OURS}", "X-Autoreply: yes"], Kind.AUTOMATIC, (OURS,)),
        ([f"In-Reply-To: {OURS}", "Return-Path: <>"], Kind.AUTOMATIC, (OURS,)),
        (
            [f"In-Reply-To: {OURS}", "Content-Type: multipart/report; boundary=x"],
            Kind.AUTOMATIC,
            (OURS,),
        ),
        (["Subject: Hello"], Kind.OTHER, ()),
        (["In-Reply-To: nobody"], Kind.OTHER, ()),
        (["In-Reply-To: <ä\x00@b>"], Kind.OTHER, ()),
    ],
)
def test_headers_tell_replies_from_machines(
    headers: list[str], kind: Kind, about: tuple[str, ...]
) -> None:
    """In-Reply-To comes first, then the references, the latest first."""
    read = read_mail(mail(*headers))
    assert (read.kind, read.about) == (kind, about)


def test_a_mail_has_the_same_name_whenever_it_comes() -> None:
    """Its Message-ID, whatever servers wrote above; without one all that it says."""
    one = mail("Message-ID: <1@b>", f"In-Reply-To: {OURS}")
    assert read_mail(one).name == read_mail(b"Received: by x\n" + one).name
    assert read_mail(one).name != read_mail(mail("Message-ID: <2@b>")).name
    assert read_mail(mail("A: b")).name != read_mail(mail("A: c")).name


_WORDS = st.sampled_from(
    [
        *(b"\n", b"\r\n", b"\n\n", b"\x00", b"\xff", b": ", b"; ", b"=", b'"', b"--=_b", b" " * 80),
        *(b"Content-Type", b"message/delivery-status", b"multipart/report", b"message/rfc822"),
        *(b"text/rfc822-headers", b"boundary==_b", b"Status", b"5.1.1", b"Action", b"Message-ID"),
        *(b"In-Reply-To", b"References", b"<a@b>", b"=?utf-8?b?", b"charset", b"base64"),
        *(b"Content-Transfer-Encoding", b"x-uuencode", b"begin 644 x", b"*0*", b"utf-7''"),
    ]
)


@given(st.lists(st.one_of(_WORDS, st.binary(max_size=10)), max_size=60).map(b"".join))
def test_nothing_breaks_it(raw: bytes) -> None:
    """Anything may come in; it is some kind of mail."""
    assert all(id_.isascii() for id_ in read_mail(raw).about)


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(250)
        )
        + b"-\n" * READ,
        b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(19)
        )
        + b"-\n" * READ,
        b"Content-Type: message/rfc822\n\n" * 20_000,
        b'Content-Type: multipart/mixed; x="' + b";" * READ,
        b'Content-Type: multipart/mixed;\r\n x="' + b";\r\n\t" * READ,
        b"References: " + b"<a@b> " * READ,
        b"Subject: " + b"=?utf-8?b?" * READ,
        b"<" * 10 * READ,
    ],
)
def test_a_huge_mail_takes_no_time(raw: bytes) -> None:
    """However deep it nests, and however long it is: only so much is read."""
    began = time.monotonic()
    assert len(read_mail(raw).about) <= 50
    assert time.monotonic() - began < 5


def test_what_stands_behind_a_lot_is_not_read() -> None:
    """Headers come first; nobody has so many."""
    assert read_mail(b"X: " + b"a" * READ + f"\nIn-Reply-To: {OURS}\n".encode()).about == ()
