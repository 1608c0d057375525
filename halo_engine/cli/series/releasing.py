"""`halo series release`: let those whom a surge holds enter, or discard them (contract §19)."""

import click

from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.series.series import by_option
from halo_engine.domain.errors import validated
from halo_engine.doors.series.releasing import ReleaseCall, ReleasedContacts, release


@click.command("release")
@click.argument("key")
@click.option("--discard", is_flag=True, help="Let them go for good; nobody of them enters.")
@click.option("--per", help="At most so many in any such span, such as 500/1h; ticks go on.")
@by_option
@in_organization
def release_command(
    context: CommandContext, key: str, discard: bool, per: str | None, by: str | None
) -> None:
    """Let those whom the surge of KEY holds enter, in order of arrival.

    Each is judged by all other guards as of now. With --per they enter little by little; another
    release takes the place of that one, and --discard ends it.
    """
    said = {"series": key, "discard": discard, "per": per}
    call = validated(ReleaseCall, said, "")
    context.show(release(context.transact("series.release", call, by), call), _draw)


def _draw(released: ReleasedContacts) -> None:
    if released.discarded:
        click.echo(f"{released.discarded} who were held in {released.series} are discarded.")
        return
    click.echo(f"{released.entered} who were held in {released.series} entered.")
    for code, contacts in released.refused.items():
        click.echo(f"{contacts} are refused: {code}")
    if released.left:
        click.echo(f"{released.left} are left, and enter at that pace.")
