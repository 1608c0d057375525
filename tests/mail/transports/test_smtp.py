"""What the SMTP transport makes of a real server's answers, silence and absence (contract §9)."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest

from halo_engine.mail.transports.smtp import SmtpTransport
from halo_engine.mail.transports.smtp_url import SmtpServer, Tls
from halo_engine.mail.transports.transports import (
    Mail,
    NotHandedOver,
    OutcomeUnknown,
    PermanentFailure,
    RecipientRefused,
    ServerDown,
    TemporaryFailure,
)
from tests.mail.mail_server import Action, Manner, mail_server

DROP, STALL = Manner.DROP, Manner.STALL


def letter(number: int = 1, body: str = "Hello\n") -> Mail:
    """Return a small message."""
    message = EmailMessage(policy=SMTP)
    message["From"] = '"Acme, Inc" <hello@acme.example>'
    message["To"] = f"ann{number}@a.example"
    message["Message-ID"] = f"<{number}@acme.example>"
    message.set_content(body)
    return Mail("hello@acme.example", f"ann{number}@a.example", message.as_bytes())


def send(transport: SmtpTransport, number: int = 1) -> None:
    """Send a small message under its key."""
    transport.send(letter(number), f"<{number}@acme.example>")


#: At each step, what the server does, and what that means: ``broke_off`` beside ServerDown.
ANSWERS: list[tuple[str, Action, type[Exception], bool | None]] = [
    ("greeting", "421 too busy", ServerDown, False),
    ("greeting", "554 no service", ServerDown, False),
    ("greeting", DROP, ServerDown, False),
    ("greeting", STALL, ServerDown, False),
    ("EHLO", "421 closing", ServerDown, False),
    ("EHLO", DROP, ServerDown, False),
    ("EHLO", STALL, ServerDown, False),
    ("MAIL", "451 later", ServerDown, False),
    ("MAIL", "553 not this sender", ServerDown, False),
    ("MAIL", "530 log in first", ServerDown, False),
    ("MAIL", "421 closing", ServerDown, False),
    ("MAIL", DROP, ServerDown, False),
    ("MAIL", STALL, ServerDown, False),
    ("RCPT", "450 greylisted", TemporaryFailure, None),
    ("RCPT", "550 no such user", RecipientRefused, None),
    ("RCPT", "554 5.7.1 Relay access denied", ServerDown, False),
    ("RCPT", "550 relaying denied", ServerDown, False),
    ("RCPT", "530 log in first", ServerDown, False),
    ("RCPT", "421 closing", ServerDown, True),
    ("RCPT", DROP, ServerDown, True),
    ("RCPT", STALL, ServerDown, True),
    ("DATA", "452 no room", TemporaryFailure, None),
    ("DATA", "554 no", PermanentFailure, None),
    ("DATA", "250 what?", ServerDown, True),
    ("DATA", "421 closing", ServerDown, True),
    ("DATA", DROP, ServerDown, True),
    ("DATA", STALL, ServerDown, True),
    ("dot", "451 try again", TemporaryFailure, None),
    ("dot", "554 spam", PermanentFailure, None),
    ("dot", "421 closing", ServerDown, True),
    ("dot", "nonsense", OutcomeUnknown, None),
    ("dot", DROP, OutcomeUnknown, None),
    ("dot", STALL, OutcomeUnknown, None),
    ("accepted", DROP, OutcomeUnknown, None),
    ("accepted", STALL, OutcomeUnknown, None),
]


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize(("step", "action", "meaning", "broke_off"), ANSWERS)
def test_what_an_answer_means(
    step: str,
    action: Action,
    meaning: type[Exception],
    broke_off: bool | None,
    pipelining: bool,
) -> None:
    """Each answer at each step is one of the four failures, and the next message gets through."""
    if pipelining and step == "MAIL" and isinstance(action, Manner):
        broke_off = True  # it may have been the recipient, which was named by then
    with mail_server(pipelining=pipelining) as server:
        transport = server.transport()
        server.always[step] = action
        with pytest.raises(meaning) as raised:
            send(transport)
        assert type(raised.value) is meaning
        assert getattr(raised.value, "broke_off", None) is broke_off
        if isinstance(action, str) and meaning is not OutcomeUnknown:
            assert action in str(raised.value)
        assert [recipient for _, recipient in server.accepted] == (
            ["ann1@a.example"] if step == "accepted" else []
        )
        del server.always[step]
        send(transport, 2)
        assert server.accepted[-1] == ("<2@acme.example>", "ann2@a.example")
        transport.close()


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("step", [step for step, action, *_ in ANSWERS if action is STALL])
def test_a_silent_server_is_given_up(step: str, pipelining: bool) -> None:
    """At whatever step a server falls silent, a message's time has an end."""
    with mail_server(pipelining=pipelining) as server:
        server.always[step] = Manner.SILENT
        transport = SmtpTransport(server.client(timeout=0.1), within_seconds=0.3)
        with pytest.raises((ServerDown, OutcomeUnknown)):
            send(transport)


def test_a_server_that_knows_no_ehlo_is_greeted_the_old_way() -> None:
    """A 5xx to EHLO is no failure where HELO is answered; a 5xx to both is the server's fault."""
    with mail_server() as server:
        server.always["EHLO"] = "502 unknown"
        transport = SmtpTransport(server.client())
        send(transport)
        assert len(server.accepted) == 1
        transport.close()
        server.always["HELO"] = "502 unknown"
        with pytest.raises(ServerDown, match="502 unknown"):
            send(transport)


def test_nobody_there_is_the_servers_fault() -> None:
    """A refused connection and an unknown name use up no attempt."""
    with mail_server() as server:
        nobody = server.client()
    with pytest.raises(ServerDown, match="Connection refused") as raised:
        send(SmtpTransport(nobody))
    assert not raised.value.broke_off


def test_a_text_that_is_cut_short_was_not_sent() -> None:
    """If the server dies before the text is complete, the mail was not sent."""
    with mail_server() as server:
        server.always["text"] = DROP
        transport = SmtpTransport(server.client())
        long = letter(body="0123456789abcdef\n" * 600_000)
        with pytest.raises(ServerDown, match="the connection broke at the text") as raised:
            transport.send(long, "<1@acme.example>")
        assert raised.value.broke_off
        assert server.accepted == []


def test_a_refusal_before_the_text_is_whole_comes_before_the_dot() -> None:
    """If the server refuses before the text is complete, the mail was not sent."""
    with mail_server() as server:
        server.always["text"] = "552 too long"
        transport = SmtpTransport(server.client())
        long = letter(body="0123456789abcdef\n" * 600_000)
        with pytest.raises(ServerDown):
            transport.send(long, "<1@acme.example>")
        assert server.accepted == []


def test_an_answer_that_came_too_early_is_none_to_the_text() -> None:
    """An answer that was read together with DATA's is noticed before the final dot: the mail was
    not sent.
    """

    def answer_at_once() -> None:
        connection, _ = listening.accept()
        connection.settimeout(120)
        with connection, connection.makefile("rwb") as stream:
            for said in (b"220", b"250", b"250", b"250", b"354 go on\r\n250 taken"):
                stream.write(said + b"\r\n")
                stream.flush()
                stream.readline()
            stream.read()

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as server:
        answering = server.submit(answer_at_once)
        port = listening.getsockname()[1]
        transport = SmtpTransport(SmtpServer("127.0.0.1", port, Tls.NONE, helo="client.example"))
        with pytest.raises(ServerDown, match=r"250 taken \(before the text") as raised:
            send(transport)
        assert raised.value.broke_off
        answering.result(timeout=120)


@pytest.mark.parametrize("pipelining", [False, True])
def test_many_messages_take_one_connection(pipelining: bool) -> None:
    """Messages share a connection, also after refusals."""
    with mail_server(pipelining=pipelining) as server:
        transport = SmtpTransport(server.client())
        for number in range(20):
            if number == 7:
                server.once["RCPT"].append("550 no such user")
                with pytest.raises(PermanentFailure):
                    send(transport, number)
            else:
                send(transport, number)
        transport.close()
        assert (server.connections, len(server.accepted)) == (1, 19)


def test_a_server_that_asks_for_the_text_of_a_refused_message_gets_none() -> None:
    """If a server asks for a refused message's text, the connection is closed: the final dot would
    send it.
    """
    with mail_server(pipelining=True) as server:
        transport = SmtpTransport(server.client())
        server.once["RCPT"].append("550 no such user")
        server.once["DATA"].append("354 go on")
        with pytest.raises(PermanentFailure):
            send(transport, 1)
        send(transport, 2)
        transport.close()
        assert server.connections == 2
        assert server.copies == {"ann2@a.example": 1}


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("action", ["421 too many messages on this connection", DROP])
def test_a_kept_connection_that_breaks_is_replaced(
    step: str, action: Action, pipelining: bool
) -> None:
    """If a kept connection breaks before the dot, the message goes out on a new one."""
    with mail_server(pipelining=pipelining) as server:
        transport = SmtpTransport(server.client())
        send(transport, 1)
        server.once[step].append(action)
        send(transport, 2)
        transport.close()
        assert server.connections == 2
        assert [recipient for _, recipient in server.accepted] == [
            "ann1@a.example",
            "ann2@a.example",
        ]


def test_an_unknown_outcome_on_a_kept_connection_is_not_tried_again() -> None:
    """After the final dot nothing is sent again, on a new or an old connection."""
    with mail_server() as server:
        transport = SmtpTransport(server.client())
        send(transport, 1)
        server.once["accepted"].append(DROP)
        with pytest.raises(OutcomeUnknown):
            send(transport, 2)
        assert len(server.accepted) == 2


def test_a_connection_that_the_server_closed_is_not_used() -> None:
    """A kept connection that the server closed is replaced before anything is sent on it."""
    with mail_server() as server:
        transport = SmtpTransport(server.client())
        send(transport, 1)
        server.drop_connections()
        send(transport, 2)
        transport.close()
        assert (server.connections, len(server.accepted)) == (2, 2)


def test_a_message_arrives_as_it_was_written() -> None:
    """Leading dots are kept, lines end in CRLF, and the envelope is the bare addresses."""
    with mail_server() as server:
        transport = SmtpTransport(server.client())
        message = letter(body="..\n.\n.hidden\nlast")
        transport.send(message, "<1@acme.example>")
        transport.close()
        [content] = server.contents
        assert content.endswith(b"\r\n\r\n..\r\n.\r\n.hidden\r\nlast\r\n")
        assert server.copies == {"ann1@a.example": 1}


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_a_login_over_tls(tls: Tls) -> None:
    """The certificate is verified, then the login is given, then mail goes."""
    with mail_server(tls=tls, login=("halo", "s3cret")) as server:
        transport = SmtpTransport(server.client())
        assert transport.check() == "TLS, certificate verified, logged in as halo"
        send(transport)
        transport.close()
        assert len(server.accepted) == 1


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tls: Tls) -> None:
    """Without the authority's certificate there is no login and no mail."""
    with mail_server(tls=tls, login=("halo", "s3cret")) as server:
        transport = SmtpTransport(server.client(ca=None))
        with pytest.raises(ServerDown, match="the certificate is not to be trusted: unable to"):
            send(transport)
        assert "MAIL" not in server.steps


def test_a_server_without_starttls_gets_no_mail() -> None:
    """If TLS is asked for, nothing is sent in the clear."""
    with mail_server() as server:
        asked: Any = {name: getattr(server.client(), name) for name in server.client().__slots__}
        wary = type(server.client())(**{**asked, "tls": Tls.STARTTLS})
        with pytest.raises(ServerDown, match="STARTTLS extension not supported"):
            send(SmtpTransport(wary))
        assert "MAIL" not in server.steps


def test_a_wrong_password_is_the_operators_problem() -> None:
    """A refused login fails no message, and its words hold no password."""
    with mail_server(tls=Tls.STARTTLS, login=("halo", "s3cret")) as server:
        right = server.client()
        server.login = ("halo", "changed")
        with pytest.raises(ServerDown, match=r"535 5\.7\.8") as raised:
            send(SmtpTransport(right))
        assert "s3cret" not in str(raised.value)


class Limit(Exception):  # noqa: N818 -- as Celery's, raised by a signal
    """The task took too long."""


@pytest.mark.parametrize(
    ("step", "interruption", "meaning"),
    [
        ("EHLO", Limit, ServerDown),
        ("DATA", Limit, ServerDown),
        ("accepted", Limit, OutcomeUnknown),
        ("EHLO", SystemExit, NotHandedOver),
        ("DATA", SystemExit, NotHandedOver),
        ("accepted", SystemExit, SystemExit),
    ],
)
def test_an_interruption_is_told_by_where_it_comes(
    step: str, interruption: type[BaseException], meaning: type[BaseException]
) -> None:
    """A time limit or a stop before the final dot means that the mail was not sent."""

    with mail_server() as server, raising(interruption) as interrupt:
        server.once[step].append(interrupt)
        transport = SmtpTransport(server.client())
        with pytest.raises(meaning) as raised:
            send(transport)
        assert type(raised.value) is meaning


@pytest.mark.parametrize(
    ("interruption", "meaning"), [(Limit, RecipientRefused), (SystemExit, NotHandedOver)]
)
def test_an_interruption_after_a_refusal_makes_nothing_unknown(
    interruption: type[BaseException], meaning: type[BaseException]
) -> None:
    """An interruption after a refusal leaves the outcome known, and the next message gets
    through.
    """
    with mail_server() as server, raising(interruption) as interrupt:
        server.once["RCPT"].append("550 no such user")
        server.once["RSET"].append(interrupt)
        transport = SmtpTransport(server.client())
        with pytest.raises(meaning) as raised:
            send(transport, 1)
        assert type(raised.value) is meaning
        send(transport, 2)
        transport.close()
        assert server.copies == {"ann2@a.example": 1}
        assert server.connections == 2


@contextmanager
def raising(interruption: type[BaseException]) -> Iterator[Callable[[], object]]:
    """Yield what raises this in the test's own thread, whoever calls it."""

    def interrupt(*_: object) -> None:
        raise interruption

    worker = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        yield lambda: signal.pthread_kill(worker, signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
