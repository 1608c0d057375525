"""`halo list`: subscription lists, and who is on them."""

import click

from halo_engine.cli.desk import Desk, in_organization
from halo_engine.cli.output import print_table
from halo_engine.contacts.lists import SubscribeCall, UnsubscribeCall, subscribe, unsubscribe
from halo_engine.contacts.subscriptions import all_lists, create_list
from halo_engine.domain.errors import validated


@click.group(name="list")
def lists() -> None:
    """Make lists that contacts subscribe to."""


@lists.command()
@click.argument("key")
@in_organization
def create(desk: Desk, key: str) -> None:
    """Make the empty list KEY."""
    made = desk.perform(lambda work: create_list(work, key))
    desk.show(made, lambda answer: click.echo(f"{answer.list} is an empty list now."))


@lists.command(name="list")
@in_organization
def list_command(desk: Desk) -> None:
    """List the lists, and how many contacts are on each."""
    desk.show(
        desk.ask(all_lists),
        lambda found: print_table(
            ("list", "subscribers"),
            [(each.list, each.subscribers) for each in found],
            numbers=["subscribers"],
        ),
    )


@lists.command(name="subscribe")
@click.argument("contact")
@click.argument("key")
@in_organization
def subscribe_command(desk: Desk, contact: str, key: str) -> None:
    """Put CONTACT on the list KEY.

    CONTACT is named by its user ID, or by its email where it has none.
    """
    call = validated(SubscribeCall, {"contact": contact, "list": key}, "subscribe")
    noted = desk.perform(lambda work: subscribe(work, call))
    desk.show(noted, lambda _: click.echo(f"{contact} is on {key} now."))


@lists.command(name="unsubscribe")
@click.argument("contact")
@click.argument("key", required=False)
@in_organization
def unsubscribe_command(desk: Desk, contact: str, key: str | None) -> None:
    """Take CONTACT off the list KEY; without one, off everything."""
    call = validated(UnsubscribeCall, {"contact": contact, "list": key}, "unsubscribe")
    noted = desk.perform(lambda work: unsubscribe(work, call))
    gone = "unsubscribed from everything" if key is None else f"off {key}"
    desk.show(noted, lambda _: click.echo(f"{contact} is {gone} now."))
