"""`halo key`: keys with which programs and people operate an organisation over HTTP."""

from uuid import UUID
from zoneinfo import ZoneInfo

import click

from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import print_facts, print_table, shown_at
from halo_engine.domain.answer import PAGE
from halo_engine.domain.errors import validated
from halo_engine.domain.roles import Role
from halo_engine.operators.keys import (
    CreatedKey,
    CreateKeyCall,
    KeyAnswer,
    KeyPage,
    ListKeysCall,
    RevokeKeyCall,
    create_key,
    list_keys,
    revoke_key,
)


@click.group(name="key")
def key() -> None:
    """Make keys for HTTP, list them, revoke them."""


@key.command()
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="What its holder may do.",
)
@click.option("--expires", metavar="TIME", help="When it expires, such as 90d; never if unset.")
@click.option("--name", help="Its name in the audit log; its prefix if unset.")
@in_organization
def create(context: CommandContext, role: str, expires: str | None, name: str | None) -> None:
    """Make a key and show it, this once.

    `viewer` reads answers; `editor` also writes and runs series; `admin` also stops, erases, and
    changes keys and settings; `ingest` is for an application's backend.
    """
    given = {"role": role, "expires": expires, "name": name}
    call = validated(CreateKeyCall, given, "key")
    made = context.change("keys.create", call, lambda work: create_key(work, call))
    context.show(made, lambda answer: _draw_created(answer, context.zone))


def _draw_created(made: CreatedKey, zone: ZoneInfo) -> None:
    print_facts(
        {
            "key": made.key,
            "name": made.name,
            "role": made.role,
            "id": made.id,
            "expires": shown_at(made.expires_at, zone) or "never",
        }
    )
    click.echo("Keep it: it is shown only now.")


@key.command(name="list")
@click.option("--after", type=click.UUID, help="The id of the last key of the page before.")
@click.option("--limit", type=click.IntRange(1, 200), default=PAGE, show_default=True)
@in_organization
def list_command(context: CommandContext, after: UUID | None, limit: int) -> None:
    """List the keys, newest first, also revoked and expired ones."""
    call = ListKeysCall(after=after, limit=limit)
    found = context.ask(lambda work: list_keys(work, call))
    context.show(found, lambda answer: _draw_page(answer, context.zone))


def _draw_page(found: KeyPage, zone: ZoneInfo) -> None:
    columns = ("key", "name", "role", "made", "expires", "last used", "revoked", "id")
    print_table(columns, [_line(each, zone) for each in found.items])
    if found.next is not None:
        click.echo(f"more: --after {found.next}")


def _line(each: KeyAnswer, zone: ZoneInfo) -> tuple[object, ...]:
    instants = (each.created_at, each.expires_at, each.last_used_at, each.revoked_at)
    return (each.prefix, each.name, each.role, *(shown_at(at, zone) for at in instants), each.id)


@key.command()
@click.argument("key_id", metavar="ID", type=click.UUID)
@in_organization
def revoke(context: CommandContext, key_id: UUID) -> None:
    """Revoke the key ID; it stops working within a second."""
    call = RevokeKeyCall(key=key_id)
    revoked = context.change("keys.revoke", call, lambda work: revoke_key(work, call))
    context.show(revoked, lambda answer: click.echo(f"{answer.prefix} is revoked."))
