"""The JSON Schema of scenario files, which `halo test` plays: `halo schema scenario`."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from halo_engine.cli.json_schema import (
    DIALECT,
    SERIES_BY_KEY,
    definitions_of,
    series_definitions,
)
from halo_engine.contacts.companies import IdentifyCompanyCall
from halo_engine.contacts.identify import IdentifyCall
from halo_engine.contacts.leads import AddContactCall, CaptureLeadCall
from halo_engine.contacts.lists import SubscribeCall, UnsubscribeCall
from halo_engine.contacts.mail_events import MailCall
from halo_engine.contacts.stripe import StripeSubscriptionCall
from halo_engine.contacts.track import TrackCall
from halo_engine.rehearsal.scenario import Expectation, ExpectedError, ScenarioFile

#: Actions whose value is exactly a door's call.
_DOORS: Final[Mapping[str, type[BaseModel]]] = {
    "identify": IdentifyCall,
    "identify_company": IdentifyCompanyCall,
    "track": TrackCall,
    "capture_lead": CaptureLeadCall,
    "add_contact": AddContactCall,
    "stripe_subscription": StripeSubscriptionCall,
    "subscribe": SubscribeCall,
    "unsubscribe": UnsubscribeCall,
    "open": MailCall,
    "click": MailCall,
    "reply": MailCall,
}
_OBJECT: Final = {"type": "object"}
_TEXT: Final = {"type": "string"}
_SERIES_KEY: Final = {**_TEXT, "description": "A series, by its key."}
_FILES: Final = {
    "description": "Series files, by paths from the scenario's folder.",
    "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
}

#: The schema of every other action.
_ACTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "at": {**_TEXT, "description": "An instant, or + a duration from now: +2d."},
    "update": _OBJECT,
    "import_csv": _OBJECT,
    "bounce": {**_OBJECT, "required": ["contact"]},
    "complain": {**_OBJECT, "required": ["contact"]},
    "unsuppress": {**_OBJECT, "required": ["contact"]},
    "remove": {**_OBJECT, "required": ["contact", "series"]},
    "activate": _SERIES_KEY,
    "pause": _SERIES_KEY,
    "resume": _SERIES_KEY,
    "save": {**_OBJECT, "description": "Definitions by key, merged over those last saved."},
    "restart": {"anyOf": [{"type": "null"}, {**_OBJECT, "maxProperties": 0}]},
    "repeat": {
        **_OBJECT,
        "required": ["times", "action"],
        "additionalProperties": False,
        "properties": {
            "times": {"type": "integer", "minimum": 1, "maximum": 1000},
            "action": {**_OBJECT, "minProperties": 1, "maxProperties": 1},
        },
    },
}


def scenario_schema() -> dict[str, Any]:
    """Return the schema of scenario files."""
    calls = set(_DOORS.values())
    definitions = {
        **series_definitions(),
        **definitions_of(
            ScenarioFile, Expectation, ExpectedError, *sorted(calls, key=lambda each: each.__name__)
        ),
    }
    _widen_identify(definitions["IdentifyCall"])
    described = definitions.pop("ScenarioFile")
    described["properties"]["series"] = {"anyOf": [SERIES_BY_KEY, *_FILES["anyOf"]]}
    described["properties"]["org"].pop("default", None)
    described["properties"]["timeline"] = {"type": "array", "items": {"$ref": "#/$defs/Entry"}}
    definitions["Entry"] = _entry()
    return {
        "$schema": DIALECT,
        **described,
        "title": "Scenario file",
        "$defs": dict(sorted(definitions.items())),
    }


def _entry() -> dict[str, Any]:
    doors = {name: {"$ref": f"#/$defs/{call.__name__}"} for name, call in _DOORS.items()}
    return {
        "description": "An action, or an expect; an error beside an action says how it is refused.",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 2,
        "additionalProperties": False,
        "properties": {
            **doors,
            **_ACTIONS,
            "expect": {"$ref": "#/$defs/Expectation"},
            "error": {"$ref": "#/$defs/ExpectedError"},
        },
    }


def _widen_identify(described: dict[str, Any]) -> None:
    """A scenario signs the token itself, and may identify a company in the same action."""
    described["properties"].pop("user_token")
    described["properties"]["user_token_claims"] = _OBJECT
    described["properties"]["company"] = {
        **_OBJECT,
        "required": ["id"],
        "additionalProperties": False,
        "properties": {"id": _TEXT, "traits": _OBJECT},
    }
