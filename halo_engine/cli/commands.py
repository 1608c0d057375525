"""The commands of `halo`, without those of the platform (`up`, `doctor`, `migrate`)."""

from typing import Final

from halo_engine.cli.sections import Listed

COMMANDS: Final = (
    Listed(
        "org",
        "halo_engine.cli.groups:org",
        "Make and change organisations; everything else belongs to one.",
    ),
    Listed(
        "cells",
        "halo_engine.cli.operations.cells:cells",
        "Use several databases, and say how they are.",
    ),
    Listed(
        "key", "halo_engine.cli.operations.keys:key", "Make keys for HTTP, list them, revoke them."
    ),
    Listed(
        "audit", "halo_engine.cli.audit:audit_command", "List what operators changed, newest first."
    ),
    Listed(
        "list", "halo_engine.cli.contacts.lists:lists", "Make lists that contacts subscribe to."
    ),
    Listed("contacts", "halo_engine.cli.groups:contacts", "Import, find, show and erase contacts."),
    Listed(
        "identify",
        "halo_engine.cli.contacts.contacts:identify_command",
        "Identify a user, as an application does: series react.",
    ),
    Listed(
        "track",
        "halo_engine.cli.contacts.contacts:track_command",
        "Track EVENT of a user, as an application does: series react.",
    ),
    Listed(
        "fields",
        "halo_engine.cli.series.fields:fields_command",
        "List the fields that filters can use, with their values.",
    ),
    Listed(
        "events",
        "halo_engine.cli.series.fields:events_command",
        "List the events that fired, how often, first and last.",
    ),
    Listed(
        "series", "halo_engine.cli.groups:series", "Write series, run them, and ask about them."
    ),
    Listed(
        "explain",
        "halo_engine.cli.series.answers:explain_command",
        "Say why CONTACT is in SERIES, or why it is not.",
    ),
    Listed(
        "runs",
        "halo_engine.cli.series.runs:runs_command",
        "Tell what happened to CONTACT in SERIES, decision by decision.",
    ),
    Listed(
        "failures",
        "halo_engine.cli.operations.failures:failures_command",
        "List the mails of series KEY that were not sent, and why.",
    ),
    Listed(
        "sending",
        "halo_engine.cli.operations.sending:sending",
        "Stop all mail, start it again, show what holds it.",
    ),
    Listed(
        "mail",
        "halo_engine.cli.operations.mail:mail",
        "Take in mail: replies, and reports of bounces.",
    ),
    Listed(
        "webhooks",
        "halo_engine.cli.operations.webhooks:webhooks",
        "Tell URLs what happens to contacts in series.",
    ),
    Listed(
        "signals",
        "halo_engine.cli.operations.parked:signals",
        "Signals that could not be handled.",
    ),
    Listed(
        "rows",
        "halo_engine.cli.operations.parked:rows",
        "Contacts' due steps that could not be handled.",
    ),
    Listed(
        "status",
        "halo_engine.cli.operations.status:status_command",
        "Say what waits, and what needs a person.",
    ),
    Listed(
        "restore",
        "halo_engine.cli.operations.restoring:restore",
        "Tell a restored database which mails went out since its backup.",
    ),
    Listed(
        "test",
        "halo_engine.cli.series.rehearsals:test_command",
        "Play scenario files and folders on a virtual clock.",
    ),
    Listed(
        "schema",
        "halo_engine.cli.schemas.schemas:schema_command",
        "Print the JSON Schema of series files, scenarios or calls.",
    ),
)
