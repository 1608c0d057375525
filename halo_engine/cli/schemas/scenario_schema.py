"""The JSON Schema of scenario files, which `halo test` plays: `halo schema scenario`."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from halo_engine.cli.schemas.json_schema import (
    DIALECT,
    SERIES_BY_KEY,
    definitions_of,
    series_definitions,
)
from halo_engine.contacts.companies.identify import IdentifyCompanyCall
from halo_engine.contacts.consent.erasure import EraseContactCall
from halo_engine.contacts.consent.lists import SubscribeCall, UnsubscribeCall
from halo_engine.contacts.consent.subscriptions import SaveListCall
from halo_engine.contacts.events.track import TrackCall
from halo_engine.contacts.identifying.identify import IdentifyCall
from halo_engine.contacts.identifying.leads import AddContactCall, CaptureLeadCall
from halo_engine.contacts.stripe.subscription import StripeSubscriptionCall
from halo_engine.mail.incoming.events import MailCall
from halo_engine.rehearsal.actions.confirming import ConfirmCall
from halo_engine.rehearsal.actions.mail_settings import MailSettingsCall
from halo_engine.rehearsal.actions.mails import ComingCall, ReadByCall
from halo_engine.rehearsal.expected import Expectation, ExpectedError
from halo_engine.rehearsal.scenario import ScenarioFile

#: Actions whose value is exactly a door's call.
_DOORS: Final[Mapping[str, type[BaseModel]]] = {
    "identify": IdentifyCall,
    "identify_company": IdentifyCompanyCall,
    "track": TrackCall,
    "capture_lead": CaptureLeadCall,
    "add_contact": AddContactCall,
    "stripe_subscription": StripeSubscriptionCall,
    "subscribe": SubscribeCall,
    "save_list": SaveListCall,
    "confirm": ConfirmCall,
    "change_org": MailSettingsCall,
    "unsubscribe": UnsubscribeCall,
    "open": ReadByCall,
    "click": ReadByCall,
    "reply": MailCall,
    "receive": ComingCall,
    "erase": EraseContactCall,
}
_OBJECT: Final = {"type": "object"}
_TEXT: Final = {"type": "string"}
_FILES: Final = {
    "description": "Series files, by paths from the scenario's folder.",
    "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
}


def _acting(description: str, *required: str) -> Mapping[str, Any]:
    return {**_OBJECT, "description": description, "required": list(required)}


#: The schema of every other action.
_ACTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "at": {**_TEXT, "description": "An instant, or + a duration from now: +2d."},
    "update": {
        **_OBJECT,
        "description": "A batch update, signed; with `dry_run` it says what it would do. `expect` "
        "in it has the counts of its answer.",
    },
    "import_csv": {
        **_OBJECT,
        "description": "An import of `text` or a `file`, with its `mapping`; with `dry_run` it "
        "says what it would do. `expect` in it has the counts of its answer.",
    },
    "bounce": _acting("Mail to the contact comes back for good.", "contact"),
    "complain": _acting("The contact calls a mail spam.", "contact"),
    "unsuppress": _acting("An operator lifts what suppresses the contact.", "contact"),
    "remove": _acting("A teammate takes the contact out of the series.", "contact", "series"),
    "activate": {**_TEXT, "description": "Make this series active."},
    "pause": {**_TEXT, "description": "Pause this series."},
    "resume": {**_TEXT, "description": "Make this paused series active again."},
    "stop": {**_TEXT, "description": "Stop this series: everybody leaves it."},
    "release": {
        **_OBJECT,
        "description": "Let those whom a series' surge holds enter, at once or at a pace "
        "(`per: 500/1h`); `discard: true` lets them go.",
        "required": ["series"],
        "additionalProperties": False,
        "properties": {"series": _TEXT, "discard": {"type": "boolean"}, "per": _TEXT},
    },
    "save": {
        **_OBJECT,
        "description": "Definitions by key, merged over those last saved; `reschedule: true` "
        "beside them gives rows their new times.",
    },
    "plan": {
        **_OBJECT,
        "description": "One definition by its key, merged over that last saved: what a save would "
        "do, `reschedule: true` beside it. Saves nothing. An `error` beside it is the save's.",
    },
    "restart": {
        "description": "Drop every cache, as if all workers had restarted.",
        "anyOf": [{"type": "null"}, {**_OBJECT, "maxProperties": 0}],
    },
    "repeat": {
        **_OBJECT,
        "description": "The same action several times, as a task that is delivered twice.",
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
        "description": "An action or expectation; ``error`` beside an action: how it is refused.",
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
