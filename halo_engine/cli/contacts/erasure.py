"""`halo contacts erase` and `halo org erase` (contract §2)."""

from functools import partial

import click

from halo_engine.cli.context import (
    CommandContext,
    choose_organization,
    in_organization,
    json_option,
    refusing,
)
from halo_engine.cli.installation import Installation
from halo_engine.cli.output import print_json
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact, erase_organization
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.errors import validated
from halo_engine.work import OrgRef

_yes_option = click.option("--yes", "sure", is_flag=True, help="Do not ask.")


def _make_sure(*, sure: bool) -> None:
    """Ask unless ``sure``; a no ends the command."""
    if not sure:
        click.confirm("This cannot be undone. Go on?", abort=True)


@click.command(name="erase")
@click.argument("contact")
@_yes_option
@in_organization
def erase_contact_command(context: CommandContext, contact: str, sure: bool) -> None:
    """Erase CONTACT and everything about it, for good.

    If its address was suppressed, a keyed hash of it stays, and nothing else.
    """
    call = validated(EraseContactCall, {"contact": contact}, "erase")
    context.ask(lambda work: find_contacts(work, [contact]))
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
    if as_json:
        print_json({"org": key, "rows": rows})
    else:
        click.echo(f"{key} is erased: {rows} rows.")
