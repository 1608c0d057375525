"""The commands that `halo` has beside those of the platform (`up`, `doctor`, `migrate`)."""

from typing import Final

import click

from halo_engine.cli.answers import (
    diagnose_command,
    explain_command,
    funnel_command,
    ledger_command,
    preview_command,
)
from halo_engine.cli.contact_list import list_command as contacts_list_command
from halo_engine.cli.contacts import contacts, identify_command, track_command
from halo_engine.cli.erasure import erase_contact_command, erase_organization_command
from halo_engine.cli.example import example_command
from halo_engine.cli.failures import failures_command
from halo_engine.cli.fields import events_command, fields_command
from halo_engine.cli.files import apply, check
from halo_engine.cli.imports import import_command
from halo_engine.cli.lists import lists
from halo_engine.cli.mail import mail, render_command, retry_failed_command, send_test_command
from halo_engine.cli.organizations import org
from halo_engine.cli.parked import rows, signals
from halo_engine.cli.rehearsals import test_command
from halo_engine.cli.schemas import schema_command
from halo_engine.cli.sending import sending
from halo_engine.cli.series import series
from halo_engine.cli.status import status_command

contacts.add_command(contacts_list_command)
contacts.add_command(import_command)
contacts.add_command(erase_contact_command)
org.add_command(erase_organization_command)
for _command in (
    example_command,
    apply,
    check,
    preview_command,
    diagnose_command,
    ledger_command,
    funnel_command,
    render_command,
    send_test_command,
    retry_failed_command,
):
    series.add_command(_command)

COMMANDS: Final[tuple[click.Command, ...]] = (
    org,
    lists,
    contacts,
    identify_command,
    track_command,
    fields_command,
    events_command,
    series,
    explain_command,
    failures_command,
    sending,
    mail,
    signals,
    rows,
    status_command,
    test_command,
    schema_command,
)
