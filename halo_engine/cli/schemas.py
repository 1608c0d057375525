"""`halo schema`: JSON Schemas of series files, scenarios and calls, for editors and clients.

They are generated from the models that validate the same data, and kept in ``docs/schemas``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
from pydantic import BaseModel

from halo_engine.cli.json_schema import DIALECT, definitions_of, series_schema
from halo_engine.cli.scenario_schema import scenario_schema
from halo_engine.contacts.companies import IdentifyCompanyCall
from halo_engine.contacts.erasure import EraseContactCall
from halo_engine.contacts.identify import IdentifyCall
from halo_engine.contacts.leads import AddContactCall, CaptureLeadCall
from halo_engine.contacts.lists import SubscribeCall, UnsubscribeCall
from halo_engine.contacts.mail_events import MailCall
from halo_engine.contacts.stripe import StripeSubscriptionCall
from halo_engine.contacts.stripe_objects import StripeEvent, StripeSubscription
from halo_engine.contacts.stripe_sync import StripeSyncCall, StripeWebhookCall
from halo_engine.contacts.suppression import BounceCall, ComplaintCall
from halo_engine.contacts.sync import SyncCall, SyncedContact
from halo_engine.contacts.track import TrackCall
from halo_engine.contacts.update import UpdateCall, UpdatedUser
from halo_engine.domain.errors import not_found
from halo_engine.pipeline.import_csv import ImportOrTryCall

SERIES: Final = "series"
SCENARIO: Final = "scenario"

#: The calls of the doors by task name without ``halo.``; tasks also take ``widget_key``.
DOORS: Final[Mapping[str, type[BaseModel]]] = {
    "identify": IdentifyCall,
    "companies.identify": IdentifyCompanyCall,
    "track": TrackCall,
    "users.update": UpdateCall,
    "contacts.import_csv": ImportOrTryCall,
    "contacts.add": AddContactCall,
    "contacts.sync": SyncCall,
    "contacts.erase": EraseContactCall,
    "leads.capture": CaptureLeadCall,
    "stripe.subscription": StripeSubscriptionCall,
    "stripe.sync": StripeSyncCall,
    "stripe.webhook": StripeWebhookCall,
    "lists.subscribe": SubscribeCall,
    "lists.unsubscribe": UnsubscribeCall,
    "mail.bounced": BounceCall,
    "mail.complained": ComplaintCall,
    "mail.opened": MailCall,
    "mail.clicked": MailCall,
    "mail.replied": MailCall,
}

#: Batches whose entries are validated one by one: the field, and the entry's model.
_ENTRIES: Final[Mapping[type[BaseModel], tuple[str, type[BaseModel]]]] = {
    UpdateCall: ("users", UpdatedUser),
    SyncCall: ("contacts", SyncedContact),
    StripeSyncCall: ("subscriptions", StripeSubscription),
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return every schema by name: ``series``, ``scenario``, and the doors."""
    return {
        SERIES: series_schema(),
        SCENARIO: scenario_schema(),
        **{name: _door(name, call) for name, call in DOORS.items()},
    }


def _door(name: str, call: type[BaseModel]) -> dict[str, Any]:
    read_later = [_ENTRIES[call][1]] if call in _ENTRIES else []
    if call is StripeWebhookCall:
        read_later = [StripeEvent]
    definitions = definitions_of(call, *read_later)
    described = definitions.pop(call.__name__)
    if call in _ENTRIES:
        field, entry = _ENTRIES[call]
        described["properties"][field]["items"] = {"$ref": f"#/$defs/{entry.__name__}"}
    if call is StripeWebhookCall:
        described["properties"]["event"] = {"$ref": f"#/$defs/{StripeEvent.__name__}"}
    described["title"] = f"halo.{name}"
    rest = {"$defs": definitions} if definitions else {}
    return {"$schema": DIALECT, **described, **rest}


def write_schemas(folder: Path) -> None:
    """Write each schema into a file ``NAME.schema.json`` of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / f"{name}.schema.json").write_text(as_text(schema), encoding="utf-8")


def as_text(schema: Mapping[str, Any]) -> str:
    """Return a schema as the text of its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


@click.command(name="schema")
@click.argument("name", default=SERIES)
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path),
    help="Write every schema into this folder instead.",
)
def schema_command(name: str, folder: Path | None) -> None:
    """Print the JSON Schema of series files, scenarios or calls.

    NAME is `series` (the default), `scenario`, or a door, as its task is named less `halo.`:
    identify, track, users.update, …
    """
    if folder is not None:
        write_schemas(folder)
        click.echo(f"{len(schemas())} schemas are in {folder}")
        return
    known = schemas()
    if name not in known:
        raise not_found("schema", name)
    click.echo(as_text(known[name]), nl=False)
