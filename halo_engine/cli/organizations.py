"""`halo org`: organisations; every other command works in one."""

from collections.abc import Callable
from typing import Any, Final

import click

from halo_engine.cli.context import json_option, refusing
from halo_engine.cli.installation import Installation
from halo_engine.cli.output import print_facts, print_json, print_table
from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import validated
from halo_engine.organizations import (
    OrganizationAnswer,
    OrganizationSettings,
    all_organizations,
    change_organization,
    create_organization,
    find_organization,
    new_secret,
)

_HIDDEN: Final = "on (the secret is shown with --secret)"


@click.group(name="org")
def org() -> None:
    """Make and change organisations, which all else belongs to."""


def _settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each setting; options not given are no arguments."""
    for option in reversed(
        (
            click.option("--name", help="What it is called; the key unless given."),
            click.option("--timezone", metavar="ZONE", help="IANA name; UTC unless given."),
            click.option("--mrr-mode", type=click.Choice(["manual", "stripe"])),
            click.option("--stripe-connected/--no-stripe-connected", default=None),
            click.option("--verified-domain/--no-verified-domain", default=None),
            click.option("--footer", "company_footer", help="The footer of marketing emails."),
            click.option(
                "--cron", "reevaluate_cron", help="When segments are re-evaluated; */15 * * * *."
            ),
            click.option("--identity-secret", help="Switches identity verification on."),
            click.option(
                "--identity-verification/--no-identity-verification",
                default=None,
                help="On with a new secret, or off.",
            ),
        )
    ):
        command = option(command)
    return command


@org.command()
@click.argument("key")
@_settings
@json_option
@click.pass_obj
def create(installation: Installation, /, key: str, as_json: bool, **given: Any) -> None:
    """Make the organisation KEY, and show its new widget key."""
    with refusing(as_json), installation.engine() as engine:
        settings = _read(given)
        made = run_in_transaction(
            engine.database, lambda connection: create_organization(connection, key, settings)
        )
        _show(made, as_json=as_json, secret=True)


@org.command()
@click.argument("key")
@_settings
@json_option
@click.pass_obj
def change(installation: Installation, /, key: str, as_json: bool, **given: Any) -> None:
    """Change the settings of KEY that are given; the others stay."""
    with refusing(as_json), installation.engine() as engine:
        settings = _read(given)
        changed = run_in_transaction(
            engine.database, lambda connection: change_organization(connection, key, settings)
        )
        _show(changed, as_json=as_json, secret="identity_secret" in settings.model_fields_set)


@org.command()
@click.argument("key")
@click.option("--secret", is_flag=True, help="Show the identity secret too.")
@json_option
@click.pass_obj
def show(installation: Installation, key: str, as_json: bool, secret: bool) -> None:
    """Show the organisation KEY: its settings, and its widget key."""
    with (
        refusing(as_json),
        installation.engine() as engine,
        engine.database.connect() as connection,
    ):
        _show(find_organization(connection, key), as_json=as_json, secret=secret)


@org.command(name="list")
@json_option
@click.pass_obj
def list_command(installation: Installation, as_json: bool) -> None:
    """List every organisation."""
    with installation.engine() as engine, engine.database.connect() as connection:
        found = all_organizations(connection)
    if as_json:
        print_json([_data(each, secret=False) for each in found])
        return
    columns = ("key", "name", "timezone", "widget key", "created")
    print_table(
        columns,
        [
            (each.key, each.name, each.timezone, each.widget_key, f"{each.created_at:%Y-%m-%d}")
            for each in found
        ],
    )


def _read(given: dict[str, Any]) -> OrganizationSettings:
    settings = {name: value for name, value in given.items() if value is not None}
    verifies = settings.pop("identity_verification", None)
    if verifies is not None and "identity_secret" not in settings:
        settings["identity_secret"] = new_secret() if verifies else None
    return validated(OrganizationSettings, settings, "org")


def _show(found: OrganizationAnswer, *, as_json: bool, secret: bool) -> None:
    if as_json:
        print_json(_data(found, secret=secret))
        return
    verification = "off" if found.identity_secret is None else _HIDDEN
    print_facts(
        {
            "key": found.key,
            "name": found.name,
            "widget key": found.widget_key,
            "time zone": found.timezone,
            "identity verification": (found.identity_secret if secret else None) or verification,
            "MRR mode": found.mrr_mode,
            "Stripe connected": found.stripe_connected,
            "verified domain": found.verified_domain,
            "footer": found.company_footer,
            "re-evaluated": found.reevaluate_cron,
        }
    )


def _data(found: OrganizationAnswer, *, secret: bool) -> dict[str, Any]:
    """Return the answer as JSON data; the secret only if asked for."""
    data = found.model_dump(mode="json")
    if not secret:
        data["identity_secret"] = None if found.identity_secret is None else "***"
    return data
