"""`halo contacts erase` and `halo org erase` (contract §2)."""

from functools import partial
from pathlib import Path

import click

from halo_engine.cells.installation import tell_directory
from halo_engine.cli.contacts.file_erasure import erase_file
from halo_engine.cli.context import (
    CommandContext,
    choose_organization,
    in_organization,
    json_option,
    refusing,
)
from halo_engine.cli.installation import Installation
from halo_engine.cli.output import print_json
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.erasure.organizations import erase_organization
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.errors import validated
from halo_engine.work import OrgRef

_yes_option = click.option("--yes", "sure", is_flag=True, help="Do not ask.")


def _make_sure(*, sure: bool) -> None:
    """Ask unless ``sure``; a no ends the command."""
    if not sure:
        click.confirm("This cannot be undone. Go on?", abort=True)


@click.command(name="erase")
@click.argument("contact", required=False)
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="Erase the contacts of this file, one a line.",
)
@click.option(
    "--confirm",
    type=click.IntRange(min=0),
    metavar="N",
    help="Do not ask; erase nobody if the file names more than N contacts.",
)
@click.option("--dry-run", is_flag=True, help="Show what the file would erase; erase nothing.")
@click.option("--yes", "sure", is_flag=True, help="Do not ask; of a file, up to 100 contacts.")
@in_organization
def erase_contact_command(
    context: CommandContext,
    contact: str | None,
    file: Path | None,
    confirm: int | None,
    dry_run: bool,
    sure: bool,
) -> None:
    """Erase CONTACT, or those of a file, and all about them, for good.

    CONTACT, and each line of a file, is a user ID, or an email if it has none. If an address was
    suppressed, a keyed hash of it stays, and nothing else. A file's erasure first says in numbers
    what goes. After an interruption the same command goes on. Exits 1 if a line names nobody.
    """
    if (contact is None) == (file is None):
        raise click.UsageError("Name a CONTACT or a --file, one of them.")
    if file is not None:
        erase_file(context, file, confirm=confirm, dry_run=dry_run, sure=sure)
        return
    if confirm is not None or dry_run:
        raise click.UsageError("--confirm and --dry-run go with --file.")
    call = validated(EraseContactCall, {"contact": contact}, "erase")
    context.ask(lambda work: find_contacts(work, [call.contact]))
    _make_sure(sure=sure)
    erased = context.change("contacts.erase", call, lambda work: erase_contact(work, call))
    context.show(erased, lambda answer: click.echo(f"{answer.id} is erased."))


@click.command(name="erase")
@click.argument("key")
@_yes_option
@json_option
@click.pass_obj
def erase_organization_command(
    installation: Installation, key: str, sure: bool, as_json: bool
) -> None:
    """Erase the organisation KEY with everything in it, for good.

    It is erased page by page; after an interruption the same command goes on.
    """
    with refusing(as_json), installation.engine() as engine:
        choose_organization(engine, key)
        _make_sure(sure=sure)
        rows = sum(erase_organization(partial(engine.ask, OrgRef(key=key))))
        tell_directory(engine)
    if as_json:
        print_json({"org": key, "rows": rows})
    else:
        click.echo(f"{key} is erased: {rows} rows.")
