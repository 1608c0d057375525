"""`halo audit`: the changes by operators, however they came in."""

import json
from zoneinfo import ZoneInfo

import click
from pydantic import JsonValue

from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import plain, print_table, say_complete_since, shown_at
from halo_engine.domain.answer import PAGE
from halo_engine.operators.audit import AuditPage, ListAuditCall, list_audit


@click.command(name="audit")
@click.option("--after", type=click.IntRange(1), help="The number at the end of the page before.")
@click.option("--limit", type=click.IntRange(1, 200), default=PAGE, show_default=True)
@in_organization
def audit_command(context: CommandContext, after: int | None, limit: int) -> None:
    """List what operators changed, newest first.

    For each change by a key, a command or a task: who made it, what it changed, and the state
    before and after. A contact is named by its id, a secret is `***`.
    """
    call = ListAuditCall(after=after, limit=limit)
    found = context.ask(lambda work: list_audit(work, call))
    context.show(found, lambda page: _draw(page, context.zone))


def _draw(found: AuditPage, zone: ZoneInfo) -> None:
    columns = ("at", "by", "via", "action", "target", "before", "after")
    print_table(
        columns,
        [
            (
                shown_at(each.at, zone),
                each.by,
                each.via,
                each.action,
                each.target,
                _said(each.before),
                _said(each.after),
            )
            for each in found.items
        ],
    )
    say_complete_since("The entries", found.complete_since, zone)
    if found.next is not None:
        click.echo(f"more: --after {found.next}")


def _said(state: JsonValue) -> str | None:
    return None if state is None else plain(json.dumps(state, ensure_ascii=False))
