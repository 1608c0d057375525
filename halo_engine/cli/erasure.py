"""`halo contacts erase` and `halo org erase` (contract §2)."""

from functools import partial

import click

from halo_engine.cli.context import CommandContext, in_organization, json_option, refusing
from halo_engine.cli.installation import Installation
from halo_engine.cli.output import print_json
from halo_engine.contacts.erasure import EraseContactCall, erase_contact, erase_organization
from halo_engine.domain.errors import validated
from halo_engine.work import OrgRef

_sure = click.confirmation_option(prompt="This cannot be undone. Go on?")


@click.command(name="erase")
@click.argument("contact")
@_sure
@in_organization
def erase_contact_command(context: CommandContext, contact: str) -> None:
    """Erase CONTACT and everything about it, for good.

    Where its address was suppressed a keyed hash stays, and nothing else.
    """
    call = validated(EraseContactCall, {"contact": contact}, "erase")
    erased = context.perform(lambda work: erase_contact(work, call))
    context.show(erased, lambda answer: click.echo(f"{answer.id} is erased."))


@click.command(name="erase")
@click.argument("key")
@_sure
@json_option
@click.pass_obj
def erase_organization_command(installation: Installation, key: str, as_json: bool) -> None:
    """Erase the organisation KEY with everything in it, for good.

    Erased page by page: where that is interrupted, the same command goes on.
    """
    with refusing(as_json), installation.engine() as engine:
        rows = sum(erase_organization(partial(engine.ask, OrgRef(key=key))))
    if as_json:
        print_json({"org": key, "rows": rows})
    else:
        click.echo(f"{key} is erased: {rows} rows.")
