"""`halo series history` and `revert`: the versions of a definition."""

from zoneinfo import ZoneInfo

import click

from halo_engine.cli.context import CommandContext, in_organization, operator_name
from halo_engine.cli.output import plain, print_table, shown_at
from halo_engine.cli.series.files import draw_applied
from halo_engine.doors.calls import RevertCall
from halo_engine.operators.origin import Via
from halo_engine.series.files.apply import Applied, Saving, apply_definitions
from halo_engine.series.files.history import SeriesHistory, find_version, history
from halo_engine.series.locks import lock_series_for_change
from halo_engine.series.versions import Author
from halo_engine.work import Work


@click.command(name="history")
@click.argument("key")
@in_organization
def history_command(context: CommandContext, key: str) -> None:
    """List the versions of KEY, the latest first, with what changed.

    `halo series show KEY --version N` shows one.
    """
    found = context.ask(lambda work: history(work, key))
    context.show(found, lambda answer: _draw(answer, context.zone))


def _draw(found: SeriesHistory, zone: ZoneInfo) -> None:
    print_table(
        ("version", "saved", "by", "from", "changed"),
        [
            (
                each.version,
                shown_at(each.saved_at, zone),
                each.saved_by,
                each.via,
                ", ".join(map(plain, each.changed)),
            )
            for each in found.versions
        ],
        numbers=["version"],
    )


@click.command(name="revert")
@click.argument("key")
@click.option("--to", type=click.IntRange(min=1), required=True, help="The version to go back to.")
@click.option(
    "--reschedule",
    is_flag=True,
    help="Give rows at steps whose delay or window changes their new times.",
)
@in_organization
def revert_command(context: CommandContext, key: str, to: int, reschedule: bool) -> None:
    """Save an old version of KEY again; it becomes the latest.

    A step that comes back is the step that it was.
    """
    saving = Saving(Author(operator_name(None), Via.COMMAND), reschedule)

    def reverted(work: Work) -> list[Applied]:
        work = lock_series_for_change(work)
        _, definition = find_version(work, key, to)
        return apply_definitions(work, {key: definition}, saving)

    call = RevertCall(series=key, to=to, reschedule=reschedule)
    context.show(context.change("series.revert", call, reverted), draw_applied)
