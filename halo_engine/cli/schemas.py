"""`halo schema`: JSON Schemas of series files and of the doors' calls, for editors and for clients.

They are generated from the models that check the same data, and kept in ``docs/schemas``.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

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
from halo_engine.domain.series import EXIT_RULES, KEY_PATTERN, SeriesDefinition
from halo_engine.pipeline.import_csv import ImportOrTryCall

SERIES: Final = "series"

#: The doors by the names of their tasks, less ``halo.``: what a task takes beside ``widget_key``.
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

#: What calls carry that is checked when it is read: batches by their field, one by one.
_ENTRIES: Final[Mapping[type[BaseModel], tuple[str, type[BaseModel]]]] = {
    UpdateCall: ("users", UpdatedUser),
    SyncCall: ("contacts", SyncedContact),
    StripeSyncCall: ("subscriptions", StripeSubscription),
}

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DURATION: Final = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": "^([0-9]{1,10}[dhms]|0)$"},
    ]
}
_TIME_OF_DAY: Final = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
_FILTER: Final = {"$ref": "#/$defs/Filter"}
#: AND groups joined by OR, or one group written flat.
_GROUPS: Final = {
    "anyOf": [
        {"type": "array", "items": {"type": "array", "items": _FILTER, "minItems": 1}},
        {"type": "array", "items": _FILTER},
    ]
}


class _Written(GenerateJsonSchema):
    """Describes durations and times of day as they are written."""

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:  # noqa: ARG002
        return dict(_DURATION)

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:  # noqa: ARG002
        return dict(_TIME_OF_DAY)


def schemas() -> dict[str, dict[str, Any]]:
    """Return every schema by name: ``series``, and the doors'."""
    return {SERIES: _series(), **{name: _door(name, call) for name, call in DOORS.items()}}


def _series() -> dict[str, Any]:
    definitions = _definitions(SeriesDefinition)
    settings, step = definitions["Settings"]["properties"], definitions["StepDefinition"]
    definitions["SeriesDefinition"]["properties"]["audience_filters"] = _GROUPS
    settings["exit_filters"] = settings["goal_filters"] = _GROUPS
    definitions["SeriesDefinition"]["properties"]["settings"].pop("default")
    # Those that are always on cannot be listed.
    del definitions["ExitReason"]
    settings["exit_rules"] = {
        "type": "array",
        "items": {"enum": [str(rule) for rule in EXIT_RULES]},
    }
    step["oneOf"] = [{"required": ["email"]}, {"required": ["condition"]}]
    return {
        "$schema": _DIALECT,
        "title": "Series file",
        "description": "What `halo series apply` reads: definitions of series by their keys.",
        "type": "object",
        "required": ["series"],
        "additionalProperties": False,
        "properties": {
            "series": {
                "type": "object",
                "propertyNames": {"pattern": KEY_PATTERN},
                "additionalProperties": {"$ref": "#/$defs/SeriesDefinition"},
            }
        },
        "$defs": definitions,
    }


def _door(name: str, call: type[BaseModel]) -> dict[str, Any]:
    read_later = [_ENTRIES[call][1]] if call in _ENTRIES else []
    if call is StripeWebhookCall:
        read_later = [StripeEvent]
    definitions = _definitions(call, *read_later)
    described = definitions.pop(call.__name__)
    if call in _ENTRIES:
        field, entry = _ENTRIES[call]
        described["properties"][field]["items"] = {"$ref": f"#/$defs/{entry.__name__}"}
    if call is StripeWebhookCall:
        described["properties"]["event"] = {"$ref": f"#/$defs/{StripeEvent.__name__}"}
    described["title"] = f"halo.{name}"
    rest = {"$defs": definitions} if definitions else {}
    return {"$schema": _DIALECT, **described, **rest}


def _definitions(*models: type[BaseModel]) -> dict[str, Any]:
    _, described = models_json_schema(
        [(model, "validation") for model in models], schema_generator=_Written
    )
    definitions: dict[str, Any] = described["$defs"]
    for definition in definitions.values():
        definition["description"] = _said(definition["description"])
        for field in definition.get("properties", {}).values():
            # Pydantic's, which only says the name again.
            field.pop("title", None)
    return definitions


def _said(docstring: str) -> str:
    """Return the first paragraph of a docstring, without the reference to the contract."""
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    return re.sub(r" \((contract )?§[^)]*\)", "", paragraph)


def write_schemas(folder: Path) -> None:
    """Write each schema into a file ``NAME.schema.json`` of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / f"{name}.schema.json").write_text(as_text(schema), encoding="utf-8")


def as_text(schema: Mapping[str, Any]) -> str:
    """Return a schema as its file holds it."""
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
    """Print the JSON Schema of series files, or of a door's calls.

    A door is named as its task is, less `halo.`: identify, track, users.update, …
    """
    if folder is not None:
        write_schemas(folder)
        click.echo(f"{len(schemas())} schemas are in {folder}")
        return
    known = schemas()
    if name not in known:
        raise not_found("schema", name)
    click.echo(as_text(known[name]), nl=False)
