"""What an incoming mail is (contract §2, §3, §6)."""

import codecs
import json
import quopri
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.mail.reading.incoming_mail import MailKind, read_mail
from halo_engine.mail.reading.parts import READ, children, parsed

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
    """Write a report about recipients, each with an action and a status."""
    recipients = "\n".join(
        f"Final-Recipient: rfc822; ann@b.example\nAction: {action}\nStatus: {status}\n"
        for action, status in ends
    )
    return REPORT.format(recipients=recipients, returned=returned).encode()


def mail(*headers: str) -> bytes:
    """Write a mail with these headers."""
    return "\n".join(["From: ann@b.example", *headers, "", "Dear Acme"]).encode()


FILES: Final = Path(__file__).parent / "mail"
#: What each file there is. All are about OURS but the last.
KINDS: Final = {
    "dsn-5.1.1": (MailKind.HARD_BOUNCE, BounceReason.USER_UNKNOWN),
    "dsn-5.1.10-exchange-unknown": (MailKind.HARD_BOUNCE, BounceReason.USER_UNKNOWN),
    "dsn-5.4.4-no-such-domain": (MailKind.HARD_BOUNCE, BounceReason.DOMAIN_UNKNOWN),
    "exim-plain-text": (MailKind.HARD_BOUNCE, BounceReason.USER_UNKNOWN),
    "qmail-plain-text": (MailKind.HARD_BOUNCE, BounceReason.USER_UNKNOWN),
    "report-inside-mixed": (MailKind.HARD_BOUNCE, BounceReason.USER_UNKNOWN),
    "report-without-status": (MailKind.HARD_BOUNCE, BounceReason.USER_UNKNOWN),
    "gateway-bounce-with-in-reply-to": (MailKind.HARD_BOUNCE, BounceReason.USER_UNKNOWN),
    "dsn-4.4.1": (MailKind.SOFT_BOUNCE, BounceReason.NETWORK),
    "dsn-delayed": (MailKind.SOFT_BOUNCE, BounceReason.NETWORK),
    "dsn-5.7.26-not-authenticated": (MailKind.SOFT_BOUNCE, BounceReason.AUTHENTICATION),
    "dsn-5.7.1-ip-on-blocklist": (MailKind.SOFT_BOUNCE, BounceReason.BLOCKLIST),
    "dsn-5.1.1-with-5.7.1-in-diagnostic": (MailKind.SOFT_BOUNCE, BounceReason.BLOCKLIST),
    "dsn-5.1.8-sender-refused": (MailKind.SOFT_BOUNCE, BounceReason.SENDER_REFUSED),
    "dsn-5.2.2-mailbox-full": (MailKind.SOFT_BOUNCE, BounceReason.MAILBOX_FULL),
    "dsn-5.0.0-quota-in-words": (MailKind.SOFT_BOUNCE, BounceReason.MAILBOX_FULL),
    "dsn-forwarded-one-unknown-one-full": (MailKind.SOFT_BOUNCE, BounceReason.MAILBOX_FULL),
    "arf-abuse": (MailKind.COMPLAINT, None),
    "gmail-vacation": (MailKind.AUTOMATIC, None),
    "icloud-vacation": (MailKind.AUTOMATIC, None),
    "exchange-out-of-office-without-auto-submitted": (MailKind.AUTOMATIC, None),
    "x-precedence-auto-reply": (MailKind.AUTOMATIC, None),
    "x-post-messageclass": (MailKind.AUTOMATIC, None),
    "human-reply": (MailKind.REPLY, None),
    "human-reply-from-exchange": (MailKind.REPLY, None),
    "reply-through-ses": (MailKind.REPLY, None),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_mail_of_each_kind(name: str) -> None:
    """As mail servers, providers and people write them (``tests/mail/reading/mail``)."""
    read = read_mail((FILES / f"{name}.eml").read_bytes())
    assert (read.kind, read.reason) == KINDS[name]
    assert (OURS in read.message_ids) == (name != "reply-through-ses")


def test_every_file_is_in_the_table() -> None:
    """No file is left out."""
    assert {path.stem for path in FILES.iterdir()} == set(KINDS)


@pytest.mark.parametrize(
    ("ends", "kind"),
    [
        ([("failed", "5.1.1")], MailKind.HARD_BOUNCE),
        ([("failed", "5.7.1 (policy)")], MailKind.SOFT_BOUNCE),
        ([("failed", "5.1.1"), ("failed", "5.1.1")], MailKind.HARD_BOUNCE),
        ([("failed", "5.1.1"), ("delivered", "2.0.0")], MailKind.SOFT_BOUNCE),
        ([("failed", "4.4.7")], MailKind.SOFT_BOUNCE),
        ([("delayed", "4.4.1")], MailKind.SOFT_BOUNCE),
        ([("delayed", "5.4.1")], MailKind.SOFT_BOUNCE),
        ([("delivered", "2.1.5")], MailKind.AUTOMATIC),
        ([("failed", "nonsense")], MailKind.SOFT_BOUNCE),
        ([("delivered (to a list)", "5.0.0"), ("relayed", "2.0.0")], MailKind.AUTOMATIC),
        ([("", "2.0.0")], MailKind.AUTOMATIC),
        ([("deliverable", "2.1.5")], MailKind.AUTOMATIC),
        ([("failed", "5.1.1"), ("failed", "5.2.2")], MailKind.SOFT_BOUNCE),
        ([("failed", "5.2.2"), ("failed", "5.1.1")], MailKind.SOFT_BOUNCE),
        ([], MailKind.SOFT_BOUNCE),
    ],
)
@pytest.mark.parametrize("returned", [WHOLE, HEADERS, ENCODED])
def test_a_delivery_report_is_a_bounce(
    ends: list[tuple[str, str]], kind: MailKind, returned: str
) -> None:
    """It is for good only if it is so for every recipient; it is about the mail that it returns."""
    read = read_mail(report(*ends, returned=returned))
    assert (read.kind, read.message_ids) == (kind, (OURS,))


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ('<192.0.2.1 #5.0.0 smtp; 550 "Unknown User">', MailKind.HARD_BOUNCE, "user_unknown"),
        (
            "<mx.b.example #5.1.1 smtp;\n 550 5.7.1 Client host blocked>",
            MailKind.SOFT_BOUNCE,
            "blocklist",
        ),
        ("< #5.2.2>", MailKind.HARD_BOUNCE, "user_unknown"),
    ],
)
def test_a_report_of_exchange_says_the_code_elsewhere(
    said: str, kind: MailKind, reason: str
) -> None:
    """The server's answer, between brackets, counts before the report's code."""
    raw = report(("failed", f"5.1.1\nX-Supplementary-Info: {said}"))
    read = read_mail(raw)
    assert (read.kind, read.reason) == (kind, reason)


def test_reports_of_addresses_that_are_not_ascii() -> None:
    """RFC 6533 has other types of parts, but the same fields."""
    utf8 = report(("failed", "5.2.2"), ("failed", "5.1.1"), returned=HEADERS).replace(
        b"message/delivery-status", b"message/global-delivery-status"
    )
    read = read_mail(utf8.replace(b"text/rfc822-headers", b"message/global-headers"))
    assert (read.kind, read.reason) == (MailKind.SOFT_BOUNCE, "mailbox_full")
    assert read.message_ids == (OURS,)


def test_a_report_that_returns_nothing_may_refer() -> None:
    """Some reports name the mail only in their own headers."""
    bare = report(("failed", "5.1.1"), returned="Content-Type: text/plain\n\nnothing")
    referring = bare.replace(b"MIME-Version", f"References: {OURS}\nMIME-Version".encode())
    assert read_mail(bare).message_ids == ()
    assert read_mail(referring).message_ids == (OURS,)
    assert read_mail(referring.replace(b"\n", b"\r\n")).message_ids == (OURS,)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_parts_of_reports_that_are_encoded(encoding: str) -> None:
    """They may not be (RFC 2046, 5.2.1), but some servers do it."""
    encode = b64encode if encoding == "base64" else quopri.encodestring
    head, status, returned = report(("failed", "5.1.1")).split(b"Content-Type: message/")[:3]
    for of_status, of_returned in ((True, False), (False, True)):
        parts = [
            _encoded(part, encoding, encode) if is_encoded else b"message/" + part
            for part, is_encoded in ((status, of_status), (returned, of_returned))
        ]
        read = read_mail(b"Content-Type: ".join([head, *parts]))
        assert (read.kind, read.message_ids) == (MailKind.HARD_BOUNCE, (OURS,))


def _encoded(
    part: bytes, encoding: str, encode: Callable[[bytes], bytes], boundary: bytes = b"--=_b"
) -> bytes:
    """Encode the part that begins with the rest of its type."""
    type_, _, rest = part.partition(b"\n\n")
    body, end, behind = rest.partition(boundary)
    head = b"message/%b\nContent-Transfer-Encoding: %b\n\n" % (type_, encoding.encode())
    return head + encode(body) + b"\n" + end + behind


def test_a_report_that_a_gateway_made_plain_text() -> None:
    """The blocks about recipients stand in a text part, as an attachment."""
    plain = report(("failed", "5.1.1")).replace(b"message/delivery-status", b"text/plain")
    assert read_mail(plain).kind is MailKind.HARD_BOUNCE


def test_google_names_ours_in_the_report_itself() -> None:
    """Nothing is returned."""
    bare = report(("failed", "5.1.1"), returned="Content-Type: text/plain\n\nnothing")
    named = f"Reporting-MTA: x\nX-Original-Message-ID: {OURS}".encode()
    read = read_mail(bare.replace(b"Reporting-MTA: dns; mx.b.example", named))
    assert (read.kind, read.message_ids) == (MailKind.HARD_BOUNCE, (OURS,))


def test_a_report_that_is_forwarded_is_no_report() -> None:
    """A reply with somebody's bounce attached is a reply."""
    answer = (
        f"In-Reply-To: {OURS}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n"
        "--x\n\nIs this yours?\n--x\nContent-Type: message/rfc822\n\n"
    ).encode()
    other = report(("failed", "5.1.1")).replace(OURS.encode(), b"<other@acme.example>")
    read = read_mail(answer + other + b"\n--x--\n")
    assert (read.kind, read.message_ids) == (MailKind.REPLY, (OURS,))


def test_a_report_names_ours_where_a_relay_put_an_id_of_its_own() -> None:
    """Our id is in References of the returned mail; ids without brackets count too."""
    replaced = WHOLE.replace(
        f"Message-ID: {OURS}", f"Message-ID: 1@ses.example\nReferences: {OURS}"
    )
    assert read_mail(report(("failed", "5.1.1"), returned=replaced)).message_ids == (
        "<1@ses.example>",
        OURS,
    )


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_file_may_end_its_lines_as_it_likes(name: str, end: bytes) -> None:
    """Files of mails come from all sorts of computers."""
    raw = (FILES / f"{name}.eml").read_bytes().replace(b"\r\n", b"\n")
    one, other = read_mail(raw), read_mail(raw.replace(b"\n", end))
    assert (other.kind, other.reason, other.message_ids) == (one.kind, one.reason, one.message_ids)


def test_what_stands_before_the_headers_is_passed_over() -> None:
    """Files of mails may begin with a byte-order mark, or blank lines."""
    for before in (b"\xef\xbb\xbf", b"\r\n\r\n", b"\xef\xbb\xbf\n"):
        assert read_mail(before + mail(f"In-Reply-To: {OURS}")).kind is MailKind.REPLY


def _mixed(*headers: str, inner: bytes) -> bytes:
    """Write a mail that has the parts of another mail as one part."""
    body = inner.partition(b"MIME-Version: 1.0\n")[2]
    return b"%b\nContent-Type: multipart/mixed; boundary=o\n\n--o\n%b\n--o--\n" % (
        "\n".join(["MIME-Version: 1.0", *headers]).encode(),
        body,
    )


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        (["From: postmaster@b.example"], MailKind.HARD_BOUNCE),
        (["Return-Path: <>", "From: gateway@b.example"], MailKind.HARD_BOUNCE),
        (["From: MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@b.ex"], MailKind.HARD_BOUNCE),
        (["From: ann@b.example", "X-MS-Exchange-Message-Is-Ndr:"], MailKind.HARD_BOUNCE),
        (["From: ann@b.example"], MailKind.OTHER),
        (["From: ann@b.example", f"In-Reply-To: {OURS}"], MailKind.REPLY),
        (["From: ann@b.example", "Auto-Submitted: auto-forwarded"], MailKind.AUTOMATIC),
    ],
)
def test_a_report_inside_another_mail_counts_from_a_mail_server_alone(
    headers: list[str], kind: MailKind
) -> None:
    """People forward reports too."""
    assert read_mail(_mixed(*headers, inner=report(("failed", "5.1.1")))).kind is kind


_QMAIL: Final = """Hi. This is the qmail-send program at mx.b.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@b.example>:
192.0.2.1 does not like recipient.
Remote host said: {said}
Giving up on 192.0.2.1.
{more}
--- Below this line is a copy of the message.

Return-Path: <hello@acme.example>
Message-ID: <0f0e@acme.example>
Subject: Your mailbox is over quota? Here is spam protection

Hello
"""
_EXIM: Final = """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@b.example
    SMTP error from remote mail server after RCPT TO:<ann@b.example>:
    host mx.b.example [192.0.2.1]: {said}
{more}
------ This is a copy of the message, including all the headers. ------

Received: from acme.example by mx.a.example with esmtp
Message-ID: <0f0e@acme.example>
From: hello@acme.example
Subject: Your mailbox is over quota? Here is spam protection

Hello
"""
_SENDMAIL: Final = """The original message was received at Thu, 29 Apr 2026 23:34:45 +0900
from acme.example [192.0.2.9]

   ----- The following addresses had permanent fatal errors -----
<ann@b.example>

   ----- Transcript of session follows -----
... while talking to mx.b.example.:
>>> RCPT To:<ann@b.example>
<<< {said}
{more}
   ----- Original message follows -----

Return-Path: <hello@acme.example>
Message-ID: <0f0e@acme.example>
Subject: Your mailbox is over quota? Here is spam protection
"""
#: An old gateway of McAfee's.
_WEBSHIELD: Final = """    ---- Failed Recipients ----

<ann@b.example>
{said}
{more}
    ---- Contents of the undelivered mail ----

Received: From acme.example by mx.b.example
Message-ID: <0f0e@acme.example>
Subject: Your mailbox is over quota? Here is spam protection
"""


@pytest.mark.parametrize("form", [_QMAIL, _EXIM, _SENDMAIL, _WEBSHIELD])
@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ("550 5.1.1 <ann@b.example>... User unknown", MailKind.HARD_BOUNCE, "user_unknown"),
        ("550 no such user here", MailKind.HARD_BOUNCE, "user_unknown"),
        ("556 5.1.10 domain accepts no mail", MailKind.HARD_BOUNCE, "user_unknown"),
        ("550 5.7.1 your host is on a blocklist", MailKind.SOFT_BOUNCE, "blocklist"),
        ("552 mailbox full", MailKind.SOFT_BOUNCE, "mailbox_full"),
        ("554 message refused", MailKind.SOFT_BOUNCE, "unclear"),
    ],
)
def test_reports_in_plain_text(form: str, said: str, kind: MailKind, reason: str) -> None:
    """Reports of qmail, Exim and Sendmail; the words of the returned mail do not count."""
    head = "From: MAILER-DAEMON@b.example\nSubject: failure notice\n\n"
    read = read_mail((head + form.format(said=said, more="")).encode())
    assert (read.kind, read.reason, read.message_ids) == (kind, reason, (OURS,))


def test_a_plain_report_about_two_is_for_good_if_it_is_for_both() -> None:
    """Each recipient has a paragraph."""
    head = "From: MAILER-DAEMON@b.example\nSubject: failure notice\n\n"
    full = "\n<bob@b.example>:\nRemote host said: 552 5.2.2 over quota\n"
    both = "\n<bob@b.example>:\nRemote host said: 550 no such user\n"
    for more, kind in ((full, MailKind.SOFT_BOUNCE), (both, MailKind.HARD_BOUNCE)):
        body = _QMAIL.format(said="550 5.1.1 no such user", more=more)
        assert read_mail((head + body).encode()).kind is kind


@pytest.mark.parametrize(
    ("headers", "body", "kind"),
    [
        # A warning: the server goes on trying.
        (
            ["From: MAILER-DAEMON@b.example", "Subject: Warning: could not send for 4 hours"],
            "550 user unknown. THIS IS A WARNING MESSAGE ONLY. YOU DO NOT NEED TO RESEND.",
            MailKind.SOFT_BOUNCE,
        ),
        # A person says it, with the report below; a machine that is no mail server says it.
        (["From: ann@b.example"], "550 5.1.1 user unknown", MailKind.REPLY),
        (
            ["From: ann@b.example", "Auto-Submitted: auto-replied"],
            "Bob is unknown here: no such user. 550 5.1.1",
            MailKind.AUTOMATIC,
        ),
        # Answers for a person, from no sender: what they say is no server's word.
        *[
            (
                ["Return-Path: <>", "From: ann@b.example", *headers],
                "Ann has left us, her account is closed. No such user: bob. 550 5.1.1",
                MailKind.AUTOMATIC,
            )
            for headers in (
                ["Subject: Automatic reply: Failed delivery"],
                ["Subject: Re: Hello"],
                ["Subject: I am away", "X-Autoreply: yes"],
                ["Subject: I am away", "Auto-Submitted: auto-replied (vacation)"],
            )
        ],
        # A gateway that answers is a server all the same.
        (
            ["Return-Path: <>", "From: post_master@b.example", "Subject: Re: Hello"],
            "550 5.1.1 user unknown",
            MailKind.HARD_BOUNCE,
        ),
        (
            ["Return-Path: <>", "From: gateway@b.example", "Subject: Undeliverable: Hello"],
            "550 5.1.1 user unknown",
            MailKind.HARD_BOUNCE,
        ),
        # A postmaster speaks of other things.
        (
            ["From: postmaster@b.example", "Subject: Maintenance"],
            "See you on Monday.",
            MailKind.AUTOMATIC,
        ),
        # A gateway's notice, and others' languages.
        *[
            (["From: postmaster@b.example", f"Subject: {said}"], "Sorry.", MailKind.SOFT_BOUNCE)
            for said in (
                "Mail could not be delivered",
                "Unable to deliver: Hello",
                "Mail failure - malformed recipient address",
                "Unzustellbar: Hallo",
                "Non remis : Bonjour",
                "No se puede entregar: Hola",
                "Onbestelbaar: Hallo",
                "=?utf-8?q?=D0=9D=D0=B5=D0=B4=D0=BE=D1=81=D1=82=D0=B0=D0=B2=D0=BB=D0=B5=D0=BD=D0=BE?=",
            )
        ],
        # Tencent's.
        (
            ["From: PostMaster@b.example", "Subject: 系统退信"],
            "收件人邮箱已满",
            MailKind.SOFT_BOUNCE,
        ),
        # It calls itself by no name at all.
        (["From: <>", "Subject: Delivery failure"], "550 no such user", MailKind.HARD_BOUNCE),
        # A failure without a word that is known.
        (
            ["From: postmaster@b.example", "Subject: Undeliverable: Hello"],
            "Sorry.",
            MailKind.SOFT_BOUNCE,
        ),
        (
            ["From: x@b.example", "X-Failed-Recipients: ann@b.example"],
            "no such user",
            MailKind.HARD_BOUNCE,
        ),
    ],
)
def test_words_of_a_mail_server_alone_are_a_report(
    headers: list[str], body: str, kind: MailKind
) -> None:
    """The phrases of a bounce count only in a mail server's mail."""
    raw = "\n".join([*headers, f"In-Reply-To: {OURS}", "", body])
    assert read_mail(raw.encode()).kind is kind


@pytest.mark.parametrize(
    ("charset", "encoding", "said", "reason"),
    [
        ("iso-8859-1", "iso-8859-1", "Empfänger nicht gefunden", "user_unknown"),
        ("us-ascii", "iso-8859-1", "Empfänger nicht gefunden", "user_unknown"),
        ("x-unknown", "iso-8859-1", "La boîte est pleine", "mailbox_full"),
        ("iso-8859-99", "iso-8859-1", "La boîte est pleine", "mailbox_full"),
        ("iso-8859-1", "utf-8", "La boîte est pleine", "mailbox_full"),
        ("windows-1251", "windows-1251", "Получатель не найден", "user_unknown"),
        ("koi8-r", "koi8-r", "Получатель не найден", "user_unknown"),
        ("gb2312", "gb2312", "收件人邮箱已满", "mailbox_full"),
        ("iso-2022-jp", "iso-2022-jp", "このユーザーは存在しません", "user_unknown"),
    ],
)
def test_servers_write_in_charsets_of_their_own(
    charset: str, encoding: str, said: str, reason: str
) -> None:
    """Words are read in the charset that a text says, unless it is UTF-8."""
    head = f"From: postmaster@b.example\nContent-Type: text/plain; charset={charset}\n\n550 "
    assert read_mail(head.encode() + said.encode(encoding)).reason == reason


def test_a_charset_in_the_long_form_breaks_no_report() -> None:
    """RFC 2231 has such parameters; the library's own reading of them raises here."""
    head = b"From: postmaster@b.example\nContent-Type: text/plain; charset*=iso-8859-1''x\n\n"
    assert read_mail(head + b"552 La bo\xeete est pleine").reason == "mailbox_full"


def test_no_other_charset_is_decoded() -> None:
    """A mail may not choose how long its text takes: neither we nor the library ask for a codec."""
    asked: list[str] = []

    def note(name: str) -> None:
        asked.append(name)

    head = b"From: postmaster@b.example\nContent-Type: text/plain; charset=x-of-its-choice\n\n"
    codecs.register(note)
    try:
        read_mail(head + b"552 La bo\xeete est pleine")
    finally:
        codecs.unregister(note)
    assert asked == []


def test_a_report_from_no_address_is_a_servers() -> None:
    """Amazon WorkMail names itself alone, and puts what a report says into the text."""
    text = (
        "An error occurred while trying to deliver the mail to:\nann@b.example\n\n"
        "Reporting-MTA: dns; mx.b.example\n\nAction: failed\n"
        "Final-Recipient: rfc822; ann@b.example\n"
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown\nStatus: 5.1.1\n"
    )
    parts = f"--x\nContent-Type: text/plain\n\n{text}\n--x\n{WHOLE}\n--x--\n"
    for sender, kind in (
        ("amazonses.example", MailKind.HARD_BOUNCE),
        ("Mail System <>", MailKind.HARD_BOUNCE),
        ("Ann Lee <ann@b.example>", MailKind.OTHER),
        ("=?utf-8?q?Ann?= <ann@b.example>", MailKind.OTHER),
        ("Ann\nSubject: Re: Undelivered", MailKind.OTHER),
    ):
        head = f"From: {sender}\nContent-Type: multipart/mixed; boundary=x\n\n"
        assert read_mail((head + parts).encode()).kind is kind


@pytest.mark.parametrize("sender", ["<>", "Mail Delivery System", "mx.b.example"])
def test_a_report_by_the_standard_needs_no_address(sender: str) -> None:
    """Its part for programs counts, in a ``multipart/report`` and in ``multipart/mixed``."""
    raw = report(("failed", "5.1.1")).replace(b"MAILER-DAEMON@mx.b.example", sender.encode())
    for written in (raw, raw.replace(b"multipart/report; report-type", b"multipart/mixed; of")):
        read = read_mail(written)
        assert (read.kind, read.message_ids) == (MailKind.HARD_BOUNCE, (OURS,))


def test_a_person_without_an_address_is_no_server() -> None:
    """Within one Exchange people have none; what they say of a refusal is no report."""
    raw = f"From: Ann </o=Acme/cn=Ann>\nIn-Reply-To: {OURS}\n\nStatus: done. 550 no such user"
    assert read_mail(raw.encode()).kind is MailKind.REPLY


def test_headers_of_a_returned_mail_behind_a_blank_line() -> None:
    """A server wrote a blank line into them, so that the rest is the returned mail's text."""
    parted = WHOLE.replace("Message-ID", "Content-Transfer-Encoding: 8bit\n\nMessage-ID")
    assert read_mail(report(("failed", "5.1.1"), returned=parted)).message_ids == (OURS,)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        (["X-Auto-Response-Suppress: OOF, AutoReply, DR"], MailKind.AUTOMATIC),
        ([], MailKind.HARD_BOUNCE),
    ],
)
def test_the_answer_of_a_company_is_no_report(more: list[str], kind: MailKind) -> None:
    """It says that an address is no longer in use, in words that somebody chose for it. Without
    the request that no machine reply it is what a mail server says.
    """
    head = ["Return-Path: <>", "From: noreply@b.example", f"In-Reply-To: {OURS}", *more]
    raw = "\n".join([*head, "Auto-Submitted: auto-replied", "", "This inbox is no longer in use."])
    assert read_mail(raw.encode()).kind is kind


#: Complaints of providers: by a header of its own (Microsoft), and as RFC 5965 has it (Yahoo).
_MICROSOFT: Final = """From: staff@hotmail.example
Subject: complaint about message from 192.0.2.1
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: message/rfc822

X-HmXmrOriginalRecipient: ann@b.example
Message-ID: <0f0e@acme.example>
Subject: Hello

Dear Ann
--m--
"""
_YAHOO: Final = """From: Yahoo! Mail AntiSpam Feedback <feedback@arf.yahoo.example>
Subject: Fw: Hello
MIME-Version: 1.0
Content-Type: multipart/report; report-type="feedback-report"; boundary="y"

--y
Content-Type: text/plain

This is an email abuse report.
--y
Content-Type: message/feedback-report

Feedback-Type: {kind}
Original-Rcpt-To: ann@b.example

--y
Content-Type: {returned}

Message-ID: 1@ses.example
References: <0f0e@acme.example>

--y--
"""


@pytest.mark.parametrize("returned", ["message/rfc822", "text/rfc822-headers", "text/plain"])
@pytest.mark.parametrize(
    ("feedback", "kind"),
    [
        ("abuse", MailKind.COMPLAINT),
        ("fraud", MailKind.COMPLAINT),
        ("opt-out", MailKind.COMPLAINT),
        ("other", MailKind.COMPLAINT),
        ("not-spam", MailKind.AUTOMATIC),
        ("auth-failure", MailKind.AUTOMATIC),
        ("virus", MailKind.AUTOMATIC),
    ],
)
def test_a_complaint_is_what_a_person_did(feedback: str, kind: MailKind, returned: str) -> None:
    """Our id is found in the returned mail, whatever the type of its part."""
    read = read_mail(_YAHOO.format(kind=feedback, returned=returned).encode())
    assert read.kind is kind
    assert kind is MailKind.AUTOMATIC or OURS in read.message_ids


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_complaint_whose_report_is_encoded(encoding: str) -> None:
    """It may not be (RFC 5965, 3), but some providers do it, as servers do with their reports."""
    encode = b64encode if encoding == "base64" else quopri.encodestring
    raw = _YAHOO.format(kind="abuse", returned="message/rfc822").encode()
    head, report, rest = raw.split(b"Content-Type: message/")
    read = read_mail(
        b"Content-Type: ".join(
            [head, _encoded(report, encoding, encode, b"--y"), b"message/" + rest]
        )
    )
    assert (read.kind, OURS in read.message_ids) == (MailKind.COMPLAINT, True)


def test_microsoft_complains_without_a_report() -> None:
    """A header of the returned mail marks it."""
    read = read_mail(_MICROSOFT.encode())
    assert (read.kind, read.message_ids) == (MailKind.COMPLAINT, (OURS,))
    assert read_mail(_MICROSOFT.replace("X-Hm", "X-No").encode()).kind is MailKind.OTHER


def test_microsoft_may_pass_on_the_mail_itself() -> None:
    """Its header then stands in front of ours."""
    ours = ["Message-ID: <0f0e@acme.example>", "References: <0f0e@acme.example>"]
    read = read_mail(mail("X-HmXmrOriginalRecipient: ann@b.example", "Precedence: bulk", *ours))
    assert (read.kind, read.message_ids) == (MailKind.COMPLAINT, (OURS,))


def _notice(**said: object) -> bytes:
    """Write a mail of Amazon's SNS about a mail of ours that SES renamed."""
    of = {"messageId": "1", "commonHeaders": {"messageId": OURS}}
    head = "From: no-reply@sns.example\nx-amz-sns-message-id: 1\nSubject: AWS Notification\n\n"
    return f"{head}{json.dumps({'mail': of, **said})}\n\n--\nTo stop this, visit ...\n".encode()


def _felt(feedback: str | None) -> dict[str, object]:
    return {"notificationType": "Complaint", "complaint": {"complaintFeedbackType": feedback}}


def _returned_by_ses(type_: str, *ends: str) -> dict[str, object]:
    recipients = [{"status": end[:5], "diagnosticCode": f"smtp; 550 {end}"} for end in ends]
    return {"bounceType": type_, "bouncedRecipients": recipients}


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ({"notificationType": "Complaint", "complaint": {}}, MailKind.COMPLAINT, None),
        (_felt("abuse"), MailKind.COMPLAINT, None),
        (_felt(None), MailKind.COMPLAINT, None),
        (_felt("not-spam"), MailKind.AUTOMATIC, None),
        (_felt("virus"), MailKind.AUTOMATIC, None),
        (
            {
                "notificationType": "Bounce",
                "bounce": _returned_by_ses("Permanent", "5.1.1 user unknown"),
            },
            MailKind.HARD_BOUNCE,
            "user_unknown",
        ),
        (
            {
                "eventType": "Bounce",
                "bounce": _returned_by_ses("Permanent", "5.1.1 unknown", "5.7.1 blocklisted"),
            },
            MailKind.SOFT_BOUNCE,
            "blocklist",
        ),
        (
            {
                "notificationType": "Bounce",
                "bounce": _returned_by_ses("Transient", "5.1.1 user unknown"),
            },
            MailKind.SOFT_BOUNCE,
            "user_unknown",
        ),
        ({"notificationType": "Delivery"}, MailKind.AUTOMATIC, None),
        ({"notificationType": "Bounce", "bounce": []}, MailKind.AUTOMATIC, None),
    ],
)
def test_what_amazon_tells_through_sns(
    said: dict[str, object], kind: MailKind, reason: str | None
) -> None:
    """Notices are JSON in a mail; they have our id among the headers, and SES's own id."""
    read = read_mail(_notice(**said))
    assert (read.kind, read.reason) == (kind, reason)
    assert read.message_ids == (OURS, "<1@amazonses.com>")


@pytest.mark.parametrize("body", ["", "{", "[]", "hello", '{"notificationType": 7, "mail": "x"}'])
def test_a_notice_that_says_nothing_is_no_trouble(body: str) -> None:
    """Broken notices do no harm: anybody can write one."""
    read = read_mail(f"x-amz-sns-message-id: 1\n\n{body}".encode())
    assert read.kind in (MailKind.AUTOMATIC, MailKind.OTHER)


@pytest.mark.parametrize(
    "headers",
    [
        ["Subject: Automatic reply: Hello"],
        ["Subject: [Auto-Reply] Re: Hello"],
        ["Subject: (Automatic response) Hello"],
        ["Subject: =?utf-8?q?R=C3=A9ponse_automatique_=3A_Bonjour?="],
        ["Subject: Abwesenheitsnotiz: Hallo"],
        # The whole subject, as some machines write it.
        ["Subject: Abwesenheitsnotiz"],
        ["Subject: Out of office"],
        ["Subject: Out of the office until 7 January"],
        ["Subject: Away until 7 January"],
        ["Subject: I'm on annual leave until Monday!"],
        ["Subject: Currently away from my desk: Hello"],
        ["Subject: Nicht im Büro bis 7. Januar"],
        ["Subject: Absent jusqu'au 7 janvier"],
        ["Subject: OOO until Monday"],
        ["Subject: [EXTERNAL] Automatic reply: Hello"],
        ["Subject: **EXT** Abwesenheitsnotiz"],
        ["Subject: I am currently out of the office"],
        ["Subject: On parental leave until 7 January"],
        ["Subject: Ann Lee ist außer Haus."],
        ["Subject: Ann Lee est absent(e)."],
        ["Subject: Estoy de vacaciones"],
        ["Subject: Я в отпуске до 7 января"],
        # As Notes writes it.
        ["Subject: I will be out of the office starting 01/07 and will not return until 01/09."],
        ["X-Mailer: vacation 1.2.7"],
        ["X-Mailer: Acme Auto-Responder"],
        ["Subject: Ann Lee is out of the office (returning 01/07/2027)."],
        # As some write it: UTF-8 that is not encoded.
        ["Subject: Réponse automatique : Bonjour"],
        ["Sender: =?utf-8?q?Mail_Delivery_System?= <sys@b.example>"],
        *[
            [f"Subject: {said}: Hello"]
            for said in (
                "Out of office re",
                "OOO",
                "Absence du bureau",
                "Fuera de la oficina",
                "Fuori sede",
                "Fuori ufficio",
                "Ausência temporária",
                "Autoodpowiedź",
                "Balasan otomatis",
                "Afwezig",
                "Automatiskt svar",
                "Frånvaro",
                "Automatikus válasz",
                "Răspuns automat",
                "Αυτόματη απάντηση",
                "Автоответ",
                "자동 회신",
                "رد تلقائي",
                "Abwesenheit",
                "Automatische Rückantwort",
                "Urlaubsmeldung",
                "Absent du bureau",
                "Message d'absence",
                "Ausente de la oficina",
                "In ferie",
                "Niet op kantoor",
                "Ikke på kontoret",
                "Poissaoloilmoitus",
                "Automatyczna odpowiedź",
                "Poza biurem",
                "Mimo kancelář",
                "Házon kívül",
                "Вне офиса",
                "Ofis d\u0131\u015f\u0131nda",
                "Εκτός γραφείου",
                "不在通知",
                "부재중",
                "מחוץ למשרד",
                "Away",
                "Vacation",
                "Réponse automatique d'absence",
                "Absence",
                "Ausente",
                "Assenza",
                "Afwezigheid",
                "Frånvarande",
                "Ikke til stede",
                "Lomalla",
                "Na urlopie",
                "Dovolená",
                "Szabadságon",
                "În concediu",
                "Na godišnjem odmoru",
                "Автоматски одговор",
                "Ārpus biroja atrašanās automātiskā atbilde",
                "İzindeyim",
                "休暇中",
                "不在办公室",
                "부재 중 자동 회신",
                "การตอบกลับอัตโนมัติ",
            )
        ],
        ["X-Auto-Response-Suppress: All", "X-MS-Exchange-Inbox-Rules-Loop: ann@b.example"],
        ["X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent"],
        ["X-Precedence: bulk"],
        ["Precedence: auto_reply"],
        ["X-Autoreply-From: ann@b.example"],
        ["X-Autorespond: Hello"],
        ["X-Apple-Action: VACATION/1"],
        ["X-POST-MessageClass: 9; Autoresponder"],
        ["X-List-Administrivia: yes"],
        ["Sender: Mail_Daemon@b.example"],
        ["Return-Path: MAILER-DAEMON"],
        ["Sender: No-Reply@b.example"],
    ],
)
def test_marks_of_machines(headers: list[str]) -> None:
    """Mail of vacation programs, list programs and mail servers is no reply."""
    assert read_mail(mail(*headers, f"In-Reply-To: {OURS}")).kind is MailKind.AUTOMATIC


@pytest.mark.parametrize(
    "headers",
    [
        ["Subject: Re: Automatic reply: Hello"],
        ["Subject: Re: [Auto-Reply] Hello"],
        ["Subject: (Autos) for sale"],
        ["Subject: Auto"],
        ["Subject: Out of office coffee?"],
        ["Subject: Away we go"],
        ["Subject: On leave policies"],
        ["Subject: Re: Away until 7 January"],
        ["Subject: Vacation plans"],
        ["Subject: Absence of news"],
        ["Subject: Re: Absence"],
        ["Subject: [EXTERNAL] Re: Automatic reply: Hello"],
        ["Subject: Ferienhaus"],
        ["Subject: Re: Ann is out of the office"],
        ["Subject: Automatic replies are a nuisance"],
        ["X-Auto-Response-Suppress: All"],
        ["X-Auto-Response-Suppress: DR, OOF", "X-MS-Exchange-Inbox-Rules-Loop: ann@b.example"],
        ["X-Apple-Action: NONE"],
        ["X-Autoreply: no"],
        ["X-POST-MessageClass: 1"],
        ["Precedence: list"],
        ["Sender: postmaster-general@b.example"],
    ],
)
def test_marks_that_people_bear_too(headers: list[str]) -> None:
    """Headers that people's mail may have as well make it no machine's."""
    assert read_mail(mail(*headers, f"In-Reply-To: {OURS}")).kind is MailKind.REPLY


@pytest.mark.parametrize(
    ("headers", "kind", "about"),
    [
        ([f"In-Reply-To: {OURS}"], MailKind.REPLY, (OURS,)),
        ([f"References: <a@b> {OURS}"], MailKind.REPLY, (OURS, "<a@b>")),
        (
            [f"References: <a@b>\n {OURS}", "In-Reply-To: <c@d>"],
            MailKind.REPLY,
            ("<c@d>", OURS, "<a@b>"),
        ),
        ([f"In-reply-to: Your mail of Monday {OURS}"], MailKind.REPLY, (OURS,)),
        ([f"In-Reply-To: {OURS}", "Auto-Submitted: no"], MailKind.REPLY, (OURS,)),
        (
            [f"In-Reply-To: {OURS}", "Auto-Submitted: auto-replied (vacation)"],
            MailKind.AUTOMATIC,
            (OURS,),
        ),
        (
            [f"In-Reply-To: {OURS}", "auto-submitted: Auto-Generated; x=y"],
            MailKind.AUTOMATIC,
            (OURS,),
        ),
        ([f"In-Reply-To: {OURS}", "Precedence: bulk"], MailKind.AUTOMATIC, (OURS,)),
        ([f"In-Reply-To: {OURS}", "X-Autoreply: yes"], MailKind.AUTOMATIC, (OURS,)),
        ([f"In-Reply-To: {OURS}", "Return-Path: <>"], MailKind.AUTOMATIC, (OURS,)),
        (
            [f"In-Reply-To: {OURS}", "Content-Type: multipart/report; boundary=x"],
            MailKind.AUTOMATIC,
            (OURS,),
        ),
        (["Subject: Hello"], MailKind.OTHER, ()),
        (["In-Reply-To: nobody"], MailKind.OTHER, ()),
        # A copy of the mail that we sent, which refers to itself.
        ([f"Message-ID: {OURS}", f"References: {OURS}"], MailKind.OTHER, (OURS,)),
        (["Message-ID: <e@f>", f"References: {OURS}"], MailKind.REPLY, (OURS,)),
        (["In-Reply-To: <ä\x00@b>"], MailKind.OTHER, ()),
    ],
)
def test_headers_tell_replies_from_machines(
    headers: list[str], kind: MailKind, about: tuple[str, ...]
) -> None:
    """In-Reply-To comes first, then the references from the last to the first."""
    read = read_mail(mail(*headers))
    assert (read.kind, read.message_ids) == (kind, about)


def test_a_mail_has_the_same_name_whenever_it_comes() -> None:
    """The name comes from the Message-ID, or else from the whole mail."""
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
        *(b"; charset*=", b"; charset=", b"iso-2022-jp", b"\xe4"),
    ]
)


@given(st.lists(st.one_of(_WORDS, st.binary(max_size=10)), max_size=60).map(b"".join))
def test_nothing_breaks_it(raw: bytes) -> None:
    """Any bytes are some kind of mail; nothing raises."""
    assert all(id_.isascii() for id_ in read_mail(raw).message_ids)


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
        report(("failed", "5.0.0\nDiagnostic-Code: smtp; 550 " + "user " * (READ // 10))),
        report(*[("failed", "5.0.0\nDiagnostic-Code: smtp; 550 " + "user " * 100)] * 500),
        b"From: MAILER-DAEMON@b\n\n" + b"<a@b>: 550 not a user is\n" * (READ // 30),
        b"From: MAILER-DAEMON@b\n\n" + b"X-A: b\n " * (READ // 10),
        b"Content-Type: message/delivery-status\n\n" + b"\n" * READ,
        # A returned mail whose signature goes on for many lines, as most have it.
        b"From: MAILER-DAEMON@b\n\nReceived: by x\nDKIM-Signature: v=1;\n"
        + (b" " * 9 + b"bh=x\n") * 30,
        b"From: MAILER-DAEMON@b\n\n" + (b"Received: by x\n" + b"\t a\n" * 21) * 200,
    ],
)
def test_a_huge_mail_takes_no_time(raw: bytes) -> None:
    """Only so much of a mail is read, however long it is and however deep its parts nest."""
    began = time.process_time()
    assert len(read_mail(raw).message_ids) <= 50
    assert time.process_time() - began < 5


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_mail_of_too_many_parts_is_read_as_its_headers(end: bytes) -> None:
    """Each blank line of a delivery report begins a part; lines that are not blank do not count."""
    head = b"Subject: Hello" + end + b"Content-Type: message/delivery-status" + end * 2
    honest = parsed(head + (b"A: b" + end) * 15_000 + end + b"C: d" + end)
    assert [part["C"] for part in children(honest)] == [None, "d"]
    hostile = parsed(head + end * 10_001)
    assert (hostile["Subject"], len(children(hostile))) == ("Hello", 1)


def test_what_stands_behind_a_lot_is_not_read() -> None:
    """A mail is read up to a limit; honest headers end long before it."""
    assert read_mail(b"X: " + b"a" * READ + f"\nIn-Reply-To: {OURS}\n".encode()).message_ids == ()
