"""`halo list`: subscription lists and their subscribers."""

from collections.abc import Callable
from typing import Any

import click

from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import print_table
from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    Subscribed,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.subscriptions import (
    ListAnswer,
    SaveListCall,
    all_lists,
    change_list,
    create_list,
    save_list,
)
from halo_engine.domain.errors import validated
from halo_engine.work import Work


@click.group(name="list")
def lists() -> None:
    """Make lists that contacts subscribe to."""


def _topic_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--double-opt-in/--no-double-opt-in",
            default=None,
            help="Whether whoever subscribes has to confirm it by a mail.",
        ),
        click.option(
            "--default/--no-default",
            default=None,
            help="Whether contacts join it when they are created.",
        ),
        click.option("--description", metavar="TEXT", help="What it is about, for people."),
        click.option("--name", metavar="TEXT", help="What people see of it, instead of KEY."),
    ):
        command = option(command)
    return command


def _call(key: str, topic: dict[str, Any]) -> SaveListCall:
    """Build the call; an empty text removes what is there."""
    given = {name: value or None for name, value in topic.items() if isinstance(value, str)}
    switched = {name: value for name, value in topic.items() if isinstance(value, bool)}
    return validated(SaveListCall, {"list": key, **given, **switched}, "list")


@lists.command()
@click.argument("key")
@_topic_options
@in_organization
def create(context: CommandContext, key: str, **topic: Any) -> None:
    """Make the empty list KEY."""
    call = _call(key, topic)

    def made(work: Work) -> ListAnswer:
        create_list(work, key)
        return save_list(work, call)

    answer = context.change("lists.save", call, made)
    context.show(answer, lambda made: click.echo(f"{made.list} is an empty list now."))


@lists.command()
@click.argument("key")
@_topic_options
@in_organization
def change(context: CommandContext, key: str, **topic: Any) -> None:
    """Change what people see of the list KEY, and how they join it.

    What is not given stays as it is; an empty text removes what is there.
    """
    call = _call(key, topic)
    changed = context.change("lists.save", call, lambda work: change_list(work, call))
    context.show(changed, lambda answer: _show([answer]))


@lists.command(name="list")
@in_organization
def list_command(context: CommandContext) -> None:
    """List the lists, and how many contacts are on each.

    Pending are those who have yet to confirm; they are no subscribers.
    """
    context.show(context.ask(all_lists), _show)


def _show(found: list[ListAnswer]) -> None:
    print_table(
        ("list", "name", "joined", "subscribers", "pending"),
        [
            (each.list, each.name or "", _how_joined(each), each.subscribers, each.pending)
            for each in found
        ],
        numbers=["subscribers", "pending"],
    )


def _how_joined(each: ListAnswer) -> str:
    if each.double_opt_in:
        return "when confirmed"
    return "when created" if each.default else "at once"


@lists.command(name="subscribe")
@click.argument("contact")
@click.argument("key")
@click.option(
    "--confirmed", is_flag=True, help="It was confirmed elsewhere: no mail asks for that."
)
@in_organization
def subscribe_command(context: CommandContext, contact: str, key: str, confirmed: bool) -> None:
    """Put CONTACT on the list KEY.

    CONTACT is a user ID, or an email if it has none. If the list has double opt-in, a mail asks to
    confirm it first.
    """
    given = {"contact": contact, "list": key, "confirmed": confirmed}
    call = validated(SubscribeCall, given, "subscribe")
    noted = context.change("lists.subscribe", call, lambda work: subscribe(work, call))
    context.show(noted, lambda answer: click.echo(_subscribed(answer, contact, key)))


def _subscribed(answer: Subscribed, contact: str, key: str) -> str:
    if answer.pending:
        return f"{contact} is asked by mail to confirm {key}."
    return f"{contact} is on {key} now."


@lists.command(name="unsubscribe")
@click.argument("contact")
@click.argument("key", required=False)
@in_organization
def unsubscribe_command(context: CommandContext, contact: str, key: str | None) -> None:
    """Take CONTACT off the list KEY; without KEY, off everything."""
    call = validated(UnsubscribeCall, {"contact": contact, "list": key}, "unsubscribe")
    noted = context.change("lists.unsubscribe", call, lambda work: unsubscribe(work, call))
    gone = "unsubscribed from everything" if key is None else f"off {key}"
    context.show(noted, lambda _: click.echo(f"{contact} is {gone} now."))
