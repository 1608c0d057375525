"""`halo org`: organisations; every other command works in one."""

import sys
from typing import Any, Final

import click
from sqlalchemy import Connection

from halo_engine.cells.engine import at_home, parts
from halo_engine.cells.installation import make_in_cell, tell_directory
from halo_engine.cli.context import json_option, operator_name, refusing
from halo_engine.cli.installation import Installation
from halo_engine.cli.operations.organization_settings import read_settings, settings_options
from halo_engine.cli.output import print_facts, print_json, print_table
from halo_engine.domain.errors import validated
from halo_engine.domain.times.retention import write_keeps
from halo_engine.domain.times.written_limits import (
    write_caps,
    write_quiet_hours,
)
from halo_engine.doors.operators import ChangedOrganization, RotateCall, change_settings
from halo_engine.doors.table import DOORS
from halo_engine.opening import open_work
from halo_engine.operators.audit import AuditedChange, note
from halo_engine.operators.origin import Origin, Via
from halo_engine.organizations.settings import (
    ChangeOrganizationCall,
    OrganizationAnswer,
    OrganizationSettings,
)
from halo_engine.organizations.storing import (
    all_organizations,
    create_organization,
    find_organization,
    settings_of,
)
from halo_engine.organizations.widget_keys import revoke_old_widget_key, rotate_widget_key
from halo_engine.series.checking.cap_spans import check_caps_and_mails
from halo_engine.work import OrgRef

_HIDDEN: Final = "on (the secret is shown with --secret)"


@click.group(name="org")
def org() -> None:
    """Make and change organisations; everything else belongs to one."""


@org.command()
@click.argument("key")
@settings_options
@click.option("--cell", metavar="NAME", help="Where it lives; if unset the cell with the fewest.")
@json_option
@click.pass_obj
def create(
    installation: Installation, /, key: str, as_json: bool, cell: str | None, **given: Any
) -> None:
    """Make the organisation KEY, and show its new widget key."""
    with refusing(as_json), installation.engine() as engine:
        settings = read_settings(given)
        made = make_in_cell(engine, key, cell, lambda connection: _make(connection, key, settings))
        _show(made, as_json=as_json, secret=True)


def _make(connection: Connection, key: str, settings: OrganizationSettings) -> OrganizationAnswer:
    """Make an organisation, and note it as the first row of its audit log."""
    made = create_organization(connection, key, settings)
    work = open_work(connection, OrgRef(id=made.id), None)
    check_caps_and_mails(work, work.org.frequency_caps, work.org.keeps)
    after = settings_of(connection, made.id)
    note(work, _operator(), "organizations.create", AuditedChange(key, after=after))
    return made


def _operator() -> Origin:
    return Origin(operator_name(None), Via.COMMAND)


@org.command()
@click.argument("key")
@settings_options
@json_option
@click.pass_obj
def change(installation: Installation, /, key: str, as_json: bool, **given: Any) -> None:
    """Change the settings of KEY that are given; the others stay."""
    with refusing(as_json), installation.engine() as engine:
        settings = read_settings(given)
        door = DOORS["organizations.change"].noting(engine, settings, _operator())
        changed = door.perform(OrgRef(key=key), lambda work: change_settings(work, settings))
        _show(changed, as_json=as_json, secret="identity_secret" in settings.model_fields_set)


@org.command(name="rotate-widget-key")
@click.argument("key")
@click.option("--revoke-old", is_flag=True, help="Revoke the key before this one; make none.")
@json_option
@click.pass_obj
def rotate(installation: Installation, key: str, as_json: bool, revoke_old: bool) -> None:
    """Give KEY a new widget key; the old one works too.

    Once every application uses the new key, revoke the old one with --revoke-old.
    """
    change = revoke_old_widget_key if revoke_old else rotate_widget_key
    with refusing(as_json), installation.engine() as engine:
        door = DOORS["organizations.rotate_widget_key"].noting(
            engine, RotateCall(revoke_old=revoke_old), _operator()
        )
        found = door.perform(OrgRef(key=key), lambda work: change(work.connection, key))
        tell_directory(engine)
    _show(found, as_json=as_json, secret=False)


@org.command(name="stripe-secret")
@click.argument("key")
@click.argument("secret", required=False)
@click.option("--revoke-old", is_flag=True, help="End the secret before this one.")
@click.option("--off", is_flag=True, help="Take nothing from Stripe any more.")
@json_option
@click.pass_obj
def stripe_secret(
    installation: Installation,
    key: str,
    secret: str | None,
    as_json: bool,
    revoke_old: bool,
    off: bool,
) -> None:
    """Set the SECRET with which Stripe signs its webhooks for KEY.

    It is the signing secret (whsec_...) of the endpoint at Stripe; - reads it from standard input.
    The secret before it works too, until it is ended with --revoke-old.
    """
    given: dict[str, Any] = {"old_stripe_endpoint_secret": None} if revoke_old else {}
    if secret is not None or off:
        given["stripe_endpoint_secret"] = None if off else _typed(secret)
    if not given or (off and secret):
        raise click.UsageError("Name one of SECRET, --revoke-old and --off.")
    with refusing(as_json), installation.engine() as engine:
        call = validated(ChangeOrganizationCall, given, "org")
        door = DOORS["organizations.change"].noting(engine, call, _operator())
        found = door.perform(OrgRef(key=key), lambda work: change_settings(work, call))
    _show(found, as_json=as_json, secret=False)


def _typed(secret: str | None) -> str | None:
    """Return a secret as it was given, or the line of standard input that has it."""
    return sys.stdin.readline().strip() if secret == "-" else secret


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
        at_home(engine, OrgRef(key=key)).database.connect() as connection,
    ):
        found = find_organization(connection, key)
    _show(found, as_json=as_json, secret=secret)


@org.command(name="list")
@json_option
@click.pass_obj
def list_command(installation: Installation, as_json: bool) -> None:
    """List every organisation."""
    found: list[OrganizationAnswer] = []
    with installation.engine() as engine:
        for each in parts(engine):
            with each.database.connect() as connection:
                found += all_organizations(connection)
    found.sort(key=lambda each: each.key)
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


def _show(found: OrganizationAnswer, *, as_json: bool, secret: bool) -> None:
    if as_json:
        print_json(_data(found, secret=secret))
        return
    breaks = found.breaks if isinstance(found, ChangedOrganization) else ()
    verification = "off" if found.identity_secret is None else _HIDDEN
    print_facts(
        {
            "key": found.key,
            "name": found.name,
            "widget key": found.widget_key,
            **({"old widget key": found.old_widget_key} if found.old_widget_key else {}),
            "time zone": found.timezone,
            "identity verification": (found.identity_secret if secret else None) or verification,
            "MRR mode": found.mrr_mode,
            "Stripe connected": found.stripe_connected,
            "Stripe's hook": _hook_of(found),
            "verified domain": found.verified_domain,
            "footer": found.company_footer,
            **{
                label: value
                for label, value in (
                    ("from", found.mail_from_name),
                    ("from address", found.mail_from_address),
                    ("reply to", found.mail_reply_to),
                    ("bounce domain", found.mail_bounce_domain),
                    ("quiet hours", write_quiet_hours(found.quiet_hours)),
                    ("caps", write_caps(found.frequency_caps)),
                    ("keeps", write_keeps(found.keeps)),
                )
                if value
            },
            "re-evaluated": found.reevaluate_cron,
            **({"breaks": ", ".join(breaks)} if breaks else {}),
        }
    )


def _hook_of(found: OrganizationAnswer) -> str:
    if found.stripe_endpoint_secret is None:
        return "off"
    return "on" if found.old_stripe_endpoint_secret is None else "on, by the old secret too"


def _data(found: OrganizationAnswer, *, secret: bool) -> dict[str, Any]:
    """Return the answer as JSON data; the identity secret only if asked for."""
    shown = {"identity_secret": found.identity_secret} if secret else {}
    return found.masked().model_copy(update=shown).model_dump(mode="json")
