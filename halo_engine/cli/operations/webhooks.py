"""`halo webhooks`: the URLs that are told what happens to contacts in series."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import click

from halo_engine.cli.context import CommandContext, in_organization, operator_name
from halo_engine.cli.output import plain, print_facts, print_table, shown_at
from halo_engine.domain.answer import PAGE
from halo_engine.domain.series.happenings import Happening
from halo_engine.doors.table import DOORS
from halo_engine.operators.origin import Origin, Via
from halo_engine.webhooks.deliveries import DeliveryAnswer, DeliveryPage
from halo_engine.webhooks.endpoint_calls import CreatedEndpoint, EndpointAnswer
from halo_engine.work import OrgRef

_KINDS = click.option(
    "--kind",
    "kinds",
    type=click.Choice([kind.value for kind in Happening]),
    multiple=True,
    help="What is sent to it; may be given several times. Everything unless given.",
)
_SERIES = click.option(
    "--series",
    metavar="KEY",
    multiple=True,
    help="The series of which it is told; may be given several times. All unless given.",
)
_endpoint = click.argument("endpoint", metavar="ID", type=click.UUID)


@click.group(name="webhooks")
def webhooks() -> None:
    """Tell URLs what happens to contacts in series."""


@webhooks.command()
@click.argument("url", metavar="URL")
@_KINDS
@_SERIES
@click.option("--with-traits", is_flag=True, help="Send the contact's email and traits along.")
@in_organization
def create(
    context: CommandContext,
    url: str,
    kinds: tuple[str, ...],
    series: tuple[str, ...],
    *,
    with_traits: bool,
) -> None:
    """Send what happens from now on to URL.

    Shows the secret that signs it, this once.
    """
    given = {"url": url, "with_traits": with_traits, **_filters(kinds, series)}
    context.show(_use(context, "webhooks.create", **given), _draw_secret)


@webhooks.command(name="list")
@in_organization
def list_command(context: CommandContext) -> None:
    """List the endpoints, and what is wrong with them."""
    found = _use(context, "webhooks.list")
    context.show(found, lambda answer: _draw_list(answer, context.zone))


@webhooks.command()
@_endpoint
@click.option("--url", help="Send to this URL from now on.")
@_KINDS
@_SERIES
@click.option("--everything", is_flag=True, help="Let every kind of every series through.")
@click.option("--with-traits/--without-traits", default=None, help="Send traits along, or not.")
@click.option("--off/--on", default=None, help="Switch it off, or on again.")
@in_organization
def change(
    context: CommandContext,
    endpoint: UUID,
    url: str | None,
    kinds: tuple[str, ...],
    series: tuple[str, ...],
    *,
    everything: bool,
    with_traits: bool | None,
    off: bool | None,
) -> None:
    """Change the endpoint ID; what is not given stays."""
    given = {"url": url, "with_traits": with_traits, "off": off}
    asked: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    filters = {"kinds": None, "series": None} if everything else {}
    fields = {**asked, **filters, **_filters(kinds, series)}
    changed = _use(context, "webhooks.change", endpoint=endpoint, **fields)
    context.show([changed], lambda answer: _draw_list(answer, context.zone))


@webhooks.command()
@_endpoint
@in_organization
def remove(context: CommandContext, endpoint: UUID) -> None:
    """Remove the endpoint ID, and what waits for it."""
    removed = _use(context, "webhooks.remove", endpoint=endpoint)
    context.show(removed, lambda answer: click.echo(f"{plain(answer.url)} is removed."))


@webhooks.command()
@_endpoint
@in_organization
def rotate(context: CommandContext, endpoint: UUID) -> None:
    """Make a new secret for the endpoint ID.

    The old one signs too for a day.
    """
    context.show(_use(context, "webhooks.rotate_secret", endpoint=endpoint), _draw_secret)


@webhooks.command()
@_endpoint
@click.option("--since", metavar="TIME", required=True, help="An ISO date or time.")
@in_organization
def replay(context: CommandContext, endpoint: UUID, since: str) -> None:
    """Send what happened since TIME to the endpoint ID again.

    Each message keeps its id.
    """
    due = _use(context, "webhooks.replay", endpoint=endpoint, since=since)
    context.show(due, lambda answer: click.echo(f"{answer.messages} messages are due again."))


@webhooks.command()
@_endpoint
@in_organization
def test(context: CommandContext, endpoint: UUID) -> None:
    """Send a test message to the endpoint ID.

    `halo webhooks deliveries` says what came of it.
    """
    sent = _use(context, "webhooks.test", endpoint=endpoint)
    context.show(sent, lambda answer: click.echo(f"{answer.webhook_id} is due."))


@webhooks.command()
@_endpoint
@click.option("--state", type=click.Choice(["waiting", "delivered", "given_up"]))
@click.option("--after", type=click.IntRange(1), help="The cursor of the page before.")
@click.option("--limit", type=click.IntRange(1, 200), default=PAGE, show_default=True)
@in_organization
def deliveries(
    context: CommandContext, endpoint: UUID, state: str | None, after: int | None, limit: int
) -> None:
    """List what was sent to the endpoint ID, newest first.

    Each line says what came of it.
    """
    given = {"endpoint": endpoint, "state": state, "after": after, "limit": limit}
    found = _use(context, "webhooks.deliveries", **given)
    context.show(found, lambda answer: _draw_deliveries(answer, context.zone))


def _use(context: CommandContext, name: str, **given: Any) -> Any:
    door = DOORS[name]
    origin = Origin(operator_name(None), Via.COMMAND)
    return door.run(context.engine, OrgRef(id=context.org.id), door.read(given), origin)


def _filters(kinds: tuple[str, ...], series: tuple[str, ...]) -> dict[str, list[str]]:
    given = {"kinds": list(kinds), "series": list(series)}
    return {name: values for name, values in given.items() if values}


def _draw_secret(made: CreatedEndpoint) -> None:
    print_facts({"url": made.url, "id": made.id, "secret": made.secret})
    click.echo("Keep the secret: it is shown only now.")


def _draw_list(found: list[EndpointAnswer], zone: ZoneInfo) -> None:
    columns = ("url", "kinds", "series", "traits", "delivered", "failing since", "off", "id")
    print_table(columns, [_line(each, zone) for each in found])


def _line(each: EndpointAnswer, zone: ZoneInfo) -> tuple[object, ...]:
    return (
        each.url,
        "all" if each.kinds is None else ", ".join(each.kinds),
        "all" if each.series is None else ", ".join(each.series),
        "yes" if each.with_traits else "no",
        shown_at(each.delivered_at, zone),
        shown_at(each.failing_since, zone),
        each.off_reason,
        each.id,
    )


def _draw_deliveries(found: DeliveryPage, zone: ZoneInfo) -> None:
    columns = ("type", "happened", "contact", "series", "state", "tries", "tried", "problem")
    print_table(columns, [_delivery(each, zone) for each in found.items])
    if found.next is not None:
        click.echo(f"more: --after {found.next}")


def _delivery(each: DeliveryAnswer, zone: ZoneInfo) -> tuple[object, ...]:
    return (
        each.type,
        shown_at(each.at, zone),
        each.contact,
        each.series,
        each.state,
        each.attempts,
        shown_at(each.tried_at, zone),
        each.problem,
    )
