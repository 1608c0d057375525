"""`halo list`: subscription lists and their subscribers."""

import click

from halo_engine.cli.context import CommandContext, in_organization
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
def create(context: CommandContext, key: str) -> None:
    """Make the empty list KEY."""
    made = context.perform(lambda work: create_list(work, key))
    context.show(made, lambda answer: click.echo(f"{answer.list} is an empty list now."))


@lists.command(name="list")
@in_organization
def list_command(context: CommandContext) -> None:
    """List the lists, and how many contacts are on each."""
    context.show(
        context.ask(all_lists),
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
def subscribe_command(context: CommandContext, contact: str, key: str) -> None:
    """Put CONTACT on the list KEY.

    CONTACT is named by its user ID, or by its email where it has none.
    """
    call = validated(SubscribeCall, {"contact": contact, "list": key}, "subscribe")
    noted = context.perform(lambda work: subscribe(work, call))
    context.show(noted, lambda _: click.echo(f"{contact} is on {key} now."))


@lists.command(name="unsubscribe")
@click.argument("contact")
@click.argument("key", required=False)
@in_organization
def unsubscribe_command(context: CommandContext, contact: str, key: str | None) -> None:
    """Take CONTACT off the list KEY; without one, off everything."""
    call = validated(UnsubscribeCall, {"contact": contact, "list": key}, "unsubscribe")
    noted = context.perform(lambda work: unsubscribe(work, call))
    gone = "unsubscribed from everything" if key is None else f"off {key}"
    context.show(noted, lambda _: click.echo(f"{contact} is {gone} now."))
