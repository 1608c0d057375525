"""`halo signals` and `halo rows`: what failed and is parked."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import click

from halo_engine.answers.operations.parked import (
    ListParked,
    ParkedRow,
    ParkedSignal,
    Sort,
    WhichParked,
    list_parked_rows,
    list_parked_signals,
)
from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import first_line, print_table, shown_at
from halo_engine.domain.errors import validated
from halo_engine.pipeline.parked import discard_parked, retry_parked
from halo_engine.work import Work

_ids = click.argument("ids", nargs=-1, type=int, metavar="[ID]...")
_series_option = click.option("--series", metavar="KEY", help="Those of one series.")

_LISTS: Final[Mapping[Sort, Callable[[Work, ListParked], Sequence[ParkedSignal | ParkedRow]]]] = {
    Sort.SIGNALS: list_parked_signals,
    Sort.ROWS: list_parked_rows,
}


def _group(sort: Sort, about: str) -> click.Group:
    """Make the command group of one sort."""
    group = click.Group(name=sort.value, help=about)

    @group.command(name="list", help=f"List the {sort} that failed, and what each raised.")
    @_series_option
    @in_organization
    def list_command(context: CommandContext, series: str | None) -> None:
        call = validated(ListParked, {"series": series}, f"halo {sort} list")
        listed = context.ask(lambda work: _LISTS[sort](work, call))
        context.show(listed, partial(_draw, context))

    @group.command(name="retry", help=f"Give {sort} another try: by ID, of a series, or all.")
    @_ids
    @_series_option
    @click.option("--all", "all_", is_flag=True, help=f"All the {sort} that failed.")
    @in_organization
    def retry_command(
        context: CommandContext, ids: tuple[int, ...], series: str | None, all_: bool
    ) -> None:
        which = _which(sort, "retry", ids=ids, series=series, all=all_)
        answer = context.change(
            f"{sort}.retry", which, lambda work: retry_parked(work, sort, which)
        )
        context.show(answer, lambda found: click.echo(f"{sort} tried again: {found.retried}"))

    @group.command(name="discard", help=f"Discard {sort} for good: by ID, or of a series.")
    @_ids
    @_series_option
    @in_organization
    def discard_command(context: CommandContext, ids: tuple[int, ...], series: str | None) -> None:
        which = _which(sort, "discard", ids=ids, series=series)
        answer = context.change(
            f"{sort}.discard", which, lambda work: discard_parked(work, sort, which)
        )
        context.show(
            answer,
            lambda found: click.echo(f"{sort} discarded: {found.discarded}. {found.meaning}"),
        )

    return group


def _which(sort: Sort, verb: str, **asked: Any) -> WhichParked:
    return validated(WhichParked, asked, f"halo {sort} {verb}")


def _draw(context: CommandContext, listed: Sequence[ParkedSignal | ParkedRow]) -> None:
    columns = ("id", "what", "contact", "series", "since", "tries", "next try", "problem")
    print_table(
        columns,
        [
            (
                each.id,
                each.kind if isinstance(each, ParkedSignal) else each.step,
                each.contact,
                each.series,
                shown_at(each.failed_at, context.zone),
                each.tries,
                shown_at(each.retry_at, context.zone) or "set aside",
                first_line(each.error),
            )
            for each in listed
        ],
        numbers=("id", "tries"),
    )


signals: Final = _group(Sort.SIGNALS, "Signals that could not be handled.")
rows: Final = _group(Sort.ROWS, "Contacts' due steps that could not be handled.")
