"""`halo series release`: let those whom a surge holds enter, or discard them (contract §19)."""

import click

from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.series.series import by_option
from halo_engine.doors.series.releasing import ReleaseCall, ReleasedContacts, release


@click.command("release")
@click.argument("key")
@click.option("--discard", is_flag=True, help="Let them go for good; nobody of them enters.")
@by_option
@in_organization
def release_command(context: CommandContext, key: str, discard: bool, by: str | None) -> None:
    """Let those whom the surge of KEY holds enter, in order of arrival.

    Each is judged by all other guards as of now.
    """
    call = ReleaseCall(series=key, discard=discard)
    context.show(release(context.transact("series.release", call, by), call), _draw)


def _draw(released: ReleasedContacts) -> None:
    if released.discarded:
        click.echo(f"{released.discarded} who were held in {released.series} are discarded.")
        return
    click.echo(f"{released.entered} who were held in {released.series} entered.")
    for code, contacts in released.refused.items():
        click.echo(f"{contacts} are refused: {code}")
