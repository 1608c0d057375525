"""Mail: `halo mail receive` and `read`, `halo series render`, `send-test` and `retry-failed`."""

from typing import Final

import click

from halo_engine.cli.context import CommandContext, in_organization, json_option, refusing
from halo_engine.cli.installation import Installation
from halo_engine.cli.output import plain, print_facts, print_json
from halo_engine.domain.errors import bad_input, not_found, validated
from halo_engine.domain.reasons import FailReason
from halo_engine.mail.composing.samples import (
    SampleCall,
    SendTestCall,
    ShownMail,
    send_test,
    show_mail,
    write_test,
)
from halo_engine.mail.incoming.receive import Received
from halo_engine.mail.reading.incoming_mail import MailKind, read_mail
from halo_engine.mail.reading.parts import READ
from halo_engine.mail.sending.retrying.retries import RetryCall, RetryTally, tally
from halo_engine.series.lifecycle import find_series
from halo_engine.work import OrgRef


@click.group()
def mail() -> None:
    """Take in mail: replies, and reports of bounces."""


@mail.command(name="receive")
@click.argument("file", type=click.Path(allow_dash=True))
@json_option
@click.pass_obj
def receive_command(installation: Installation, file: str, as_json: bool) -> None:
    """Take in a mail: a reply, or a bounce.

    FILE holds it as it came (RFC 5322); - is standard input. The organisation is that of the mail
    that it replies to or reports about.
    """
    with refusing(as_json), installation.engine() as engine:
        received = engine.receive(_beginning(file))
    if as_json:
        print_json(received)
    else:
        click.echo(_said(received))


@mail.command(name="read")
@click.argument("file", type=click.Path(allow_dash=True))
@json_option
def read_command(file: str, as_json: bool) -> None:
    """Say what kind of mail it is, and which mails it is about.

    FILE holds it as it came (RFC 5322); - is standard input. No database is read, so whether those
    mails are yours is not known.
    """
    with refusing(as_json):
        read = read_mail(_beginning(file))
    facts = {
        "kind": read.kind,
        "reason": read.reason,
        "message_ids": list(read.message_ids),
        "mails": [str(mail) for mail in read.mails],
    }
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)


def _beginning(file: str) -> bytes:
    try:
        with click.open_file(file, "rb") as opened:
            read: bytes = opened.read(READ)
    except FileNotFoundError:
        raise not_found("file", file) from None
    except OSError as error:
        raise bad_input(file, f"cannot be read ({error.strerror})") from None
    return read


_DONE: Final = {MailKind.REPLY: "noted", MailKind.SOFT_BOUNCE: "counted"}


def _said(received: Received) -> str:
    said = f"{received.kind} ({received.reason})" if received.reason else received.kind
    if received.id is None:
        return f"{said}: about no mail of ours; nothing was done."
    done = _DONE.get(received.kind)
    if received.suppressed:
        done = "its address is suppressed"
    if received.again:
        done = "it had come before; nothing was done"
    about = f"about {plain(received.message_id)} to contact {received.id}"
    return f"{said}: {about}; {done or 'nothing was done'}."


@click.command(name="render")
@click.argument("key", metavar="SERIES")
@click.argument("step")
@click.argument("contact")
@click.option("--html", is_flag=True, help="Print only the HTML page.")
@in_organization
def render_command(context: CommandContext, key: str, step: str, contact: str, html: bool) -> None:
    """Show the email that CONTACT would get at STEP of SERIES now.

    CONTACT is a user ID, or an email if it has none. Nothing is sent.
    """
    given = {"series": key, "step": step, "contact": contact}
    sample = validated(SampleCall, given, "render")
    shown = context.ask(lambda work: show_mail(work, context.engine.post.sender, sample))
    context.show(shown, lambda found: _draw(found, html=html))


def _draw(found: ShownMail, *, html: bool) -> None:
    if html:
        click.echo(found.html, nl=False)
        return
    for name, value in found.headers.items():
        click.echo(f"{click.style(name, bold=True)}: {plain(value)}")
    click.echo()
    for line in found.text.splitlines():
        click.echo(plain(line) if line else "")


@click.command(name="send-test")
@click.argument("key", metavar="SERIES")
@click.argument("step")
@click.argument("contact")
@click.option("--to", required=True, metavar="ADDRESS", help="Who gets it instead of the contact.")
@in_organization
def send_test_command(context: CommandContext, key: str, step: str, contact: str, to: str) -> None:
    """Send the email that CONTACT would get at STEP to an address.

    Its subject begins with `[Test]`. Nothing is recorded for the contact.
    """
    given = {"series": key, "step": step, "contact": contact, "to": to}
    test = validated(SendTestCall, given, "send-test")
    post = context.engine.post
    message = context.change(
        "series.send_test", test, lambda work: write_test(work, post.sender, test)
    )
    context.show(
        send_test(post.transport, message, test),
        lambda sent: click.echo(f"{key} {step} of {plain(contact)} was sent to {plain(sent.to)}."),
    )


@click.command(name="retry-failed")
@click.argument("key", metavar="SERIES")
@click.option("--step", help="Only those of this step.")
@click.option(
    "--reason",
    metavar="TEXT",
    help=f"Only those whose reason contains this. {FailReason.OUTCOME_UNKNOWN} takes those whose ",
)
@in_organization
def retry_failed_command(
    context: CommandContext, key: str, step: str | None, reason: str | None
) -> None:
    """Send failed emails of SERIES again.

    An email is sent if its contact would get it today; the run does not move. Exits 1 when the
    server takes no mail.
    """
    call = validated(RetryCall, {"series": key, "step": step, "reason": reason}, "retry-failed")
    context.change("series.retry_failed", call, lambda work: find_series(work, key))
    found = tally(call, context.engine.retry_failed(OrgRef(id=context.org.id), call))
    context.show(found, _draw_tally)
    if found.stopped is not None:
        raise SystemExit(1)


def _draw_tally(found: RetryTally) -> None:
    click.echo(f"{found.sent} sent, {found.failed} failed again")
    if found.unknown:
        click.echo(f"{found.unknown} may or may not have been sent")
    for reason, number in found.held.items():
        click.echo(f"{number} held back: {plain(reason)}")
    if found.stopped is not None:
        click.echo(f"stopped there: {plain(found.stopped)}")
