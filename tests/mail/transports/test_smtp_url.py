"""What HALO_SMTP_URL may say (contract §9)."""

import pytest

from halo_engine.mail.transports.smtp_url import SmtpServer, Tls, parse_smtp_url
from halo_engine.settings import ConfigurationError, load_settings

GOOD = {
    "smtp://localhost": SmtpServer("localhost", 25, Tls.NONE),
    "smtp://[::1]:2525": SmtpServer("::1", 2525, Tls.NONE),
    "smtp://localhost?tls=starttls": SmtpServer("localhost", 25, Tls.STARTTLS),
    "smtp://relay.acme.example": SmtpServer("relay.acme.example", 25, Tls.STARTTLS),
    "smtp://10.0.0.7/?tls=none": SmtpServer("10.0.0.7", 25, Tls.NONE),
    "smtp://halo:s3cret@localhost": SmtpServer("localhost", 587, Tls.STARTTLS, "halo", "s3cret"),
    "smtp://halo:s3cret@127.0.0.1:2525?tls=none": SmtpServer(
        "127.0.0.1", 2525, Tls.NONE, "halo", "s3cret"
    ),
    "smtps://me%40acme.example:p%3Aw%23@mail.acme.example": SmtpServer(
        "mail.acme.example", 465, Tls.IMPLICIT, "me@acme.example", "p:w#"
    ),
    "smtps://h:1465?ca=/etc/own.pem&helo=out.acme.example&timeout=7.5": SmtpServer(
        "h", 1465, Tls.IMPLICIT, ca="/etc/own.pem", helo="out.acme.example", timeout=7.5
    ),
}
BAD = {
    "mail.acme.example:587": "is not an SMTP URL; write smtp://user:password@host:587",
    "http://u:s3cret@h": "is not an SMTP URL; write smtp://user:password@host:587",
    "smtp://": "cannot be read; write smtp://user:password@host:587",
    "smtp://u:s3cret@h:port": "cannot be read; write smtp://user:password@host:587",
    "smtp://u:s3/cret@h": "cannot be read; write smtp://user:password@host:587",
    "smtp://h/path": "cannot be read; write smtp://user:password@host:587",
    "smtp://h:0": "cannot be read; write smtp://user:password@host:587",
    "smtp://[h": "cannot be read; write smtp://user:password@host:587",
    "smtp://u@h": "names a user without a password, or the reverse; write smtp://",
    "smtp://:s3cret@h": "names a user without a password, or the reverse; write smtp://",
    "smtp://u:s3cr%C3%A9t@h": "has a login that is not plain ASCII, which SMTP cannot carry",
    "smtp://u:s3cret@h?tls=none": "would send the password in the clear; leave tls=none out",
    "smtp://h?tls=maybe": "has a tls that is unknown; allowed are starttls and none",
    "smtps://h?tls=none": "says tls= of smtps://, which is encrypted from the first byte",
    "smtp://h?pool=3": "has an option that is unknown, blank or given twice; allowed are ca, helo,",
    "smtp://h?ca=": "has an option that is unknown, blank or given twice; allowed are ca, helo,",
    "smtp://h?helo=a&helo=b": "has an option that is unknown, blank or given twice; allowed are",
    "smtp://h?helo=a%0D%0AMAIL": "has a helo that is no name of a host; write helo=mail.acme",
    "smtp://h?timeout=soon": "has a timeout that is no number of seconds; allowed are up to 300",
    "smtp://h?timeout=nan": "has a timeout that is no number of seconds; allowed are up to 300",
    "smtp://u:s3cret@h#x": "has a # in it; write %23 in a password",
}


@pytest.mark.parametrize(("url", "server"), GOOD.items())
def test_a_server_as_its_url_names_it(url: str, server: SmtpServer) -> None:
    """A login or another machine asks for TLS; the port goes with what is asked."""
    assert parse_smtp_url(url) == server


@pytest.mark.parametrize(("url", "problem"), BAD.items())
def test_a_wrong_url_is_one_line_without_the_password(
    monkeypatch: pytest.MonkeyPatch, url: str, problem: str
) -> None:
    """It names the variable, what is wrong and what is allowed, and repeats no secret."""
    monkeypatch.setenv("HALO_SMTP_URL", url)
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    said = str(raised.value)
    assert said.startswith(f"HALO_SMTP_URL: {problem}")
    assert "s3c" not in said
    assert "\n" not in said


def test_a_rate_is_a_number_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rate at all is no rate to set: that is what stopping is for."""
    monkeypatch.setenv("HALO_MAIL_PER_SECOND", "0")
    with pytest.raises(ConfigurationError, match=r"^HALO_MAIL_PER_SECOND: is refused; allowed is "):
        load_settings()
