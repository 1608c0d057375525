"""The groups of `halo` whose commands are in several files."""

from halo_engine.cli.contacts.contact_list import list_command as contacts_list_command
from halo_engine.cli.contacts.contacts import contacts
from halo_engine.cli.contacts.erasure import erase_contact_command, erase_organization_command
from halo_engine.cli.contacts.imports import import_command
from halo_engine.cli.contacts.updates import update_command
from halo_engine.cli.operations.mail import render_command, retry_failed_command, send_test_command
from halo_engine.cli.operations.moving import move_command
from halo_engine.cli.operations.organizations import org
from halo_engine.cli.series.answers import (
    diagnose_command,
    funnel_command,
    ledger_command,
    preview_command,
)
from halo_engine.cli.series.example import example_command
from halo_engine.cli.series.files import apply, check
from halo_engine.cli.series.history import history_command, revert_command
from halo_engine.cli.series.plans import plan_command
from halo_engine.cli.series.releasing import release_command
from halo_engine.cli.series.series import series

__all__ = ["contacts", "org", "series"]

contacts.add_command(contacts_list_command)
contacts.add_command(import_command)
contacts.add_command(update_command)
contacts.add_command(erase_contact_command)
org.add_command(erase_organization_command)
org.add_command(move_command)
for _command in (
    example_command,
    apply,
    check,
    plan_command,
    history_command,
    revert_command,
    release_command,
    preview_command,
    diagnose_command,
    ledger_command,
    funnel_command,
    render_command,
    send_test_command,
    retry_failed_command,
):
    series.add_command(_command)
