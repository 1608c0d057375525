"""`halo series render` and `send-test`: an email as a contact would get it (contract §9)."""

import click

from halo_engine.cli.desk import Desk, in_organization
from halo_engine.cli.output import plain
from halo_engine.delivery.samples import (
    SampleCall,
    SendTestCall,
    ShownMail,
    send_test,
    show_mail,
    write_test,
)
from halo_engine.domain.errors import validated


@click.command(name="render")
@click.argument("key", metavar="SERIES")
@click.argument("step")
@click.argument("contact")
@click.option("--html", is_flag=True, help="Print the page alone.")
@in_organization
def render_command(desk: Desk, key: str, step: str, contact: str, html: bool) -> None:
    """Show the email that CONTACT would get at STEP of SERIES now.

    CONTACT is named by its user ID, or by its email where it has none. Nothing is sent.
    """
    given = {"series": key, "step": step, "contact": contact}
    sample = validated(SampleCall, given, "render")
    shown = desk.ask(lambda work: show_mail(work, desk.engine.post.sender, sample))
    desk.show(shown, lambda found: _draw(found, html=html))


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
def send_test_command(desk: Desk, key: str, step: str, contact: str, to: str) -> None:
    """Send the email that CONTACT would get at STEP to an address.

    Its subject begins with `[Test]`. The contact and the series know nothing of it.
    """
    given = {"series": key, "step": step, "contact": contact, "to": to}
    test = validated(SendTestCall, given, "send-test")
    post = desk.engine.post
    message = desk.ask(lambda work: write_test(work, post.sender, test))
    desk.show(
        send_test(post.transport, message, test),
        lambda sent: click.echo(f"{key} {step} of {plain(contact)} was sent to {plain(sent.to)}."),
    )
