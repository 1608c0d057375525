"""What the OpenAPI document says of the routes of other products' clients (contract §13)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from halo_engine.domain.clients.segment import BATCH_PATHS, PATHS

from ..messages.cors import CLIENTS
from .customerio import CUSTOMERS

#: How these clients prove who they are; other schemes are the document's own.
CLIENT_SECURITY: Final[Mapping[str, Any]] = {
    "write key": {
        "type": "http",
        "scheme": "basic",
        "description": "The widget key, or an operator key of role ingest, as user name.",
    },
    "API key": {
        "type": "http",
        "scheme": "basic",
        "description": "Any site ID as user name, an operator key of role ingest as password.",
    },
}
_TEXT: Final = {"type": ["string", "null"]}
_ID: Final = {"type": ["string", "integer", "null"]}
_OBJECT: Final = {"type": ["object", "null"]}
_MOMENT: Final = {"type": ["string", "number", "null"], "description": "ISO 8601, or unix time."}

#: The members of a message that are read; all others are passed over.
_MEMBERS: Final[Mapping[str, Any]] = {
    "userId": _ID,
    "anonymousId": _ID,
    "messageId": _ID,
    "timestamp": _MOMENT,
    "sentAt": _MOMENT,
    "context": _OBJECT,
}
_OWN: Final[Mapping[str, Mapping[str, Any]]] = {
    "identify": {"traits": _OBJECT},
    "track": {"event": {"type": "string"}, "properties": _OBJECT},
    "group": {"groupId": _ID, "traits": _OBJECT},
    "page": {"name": _TEXT, "category": _TEXT, "properties": _OBJECT},
    "screen": {"name": _TEXT, "category": _TEXT, "properties": _OBJECT},
    "alias": {"previousId": _ID},
}
_NOTE: Final = {
    "type": "object",
    "required": ["index", "messageId", "message"],
    "properties": {
        "index": {"type": "integer"},
        "messageId": _TEXT,
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "message": {"type": "string"},
    },
}
_SUCCESS: Final = {"success": {"const": True}}
_TAKEN: Final = _SUCCESS | {"warnings": {"type": "array", "items": {"type": "string"}}}
_TAKEN_BATCH: Final = _SUCCESS | {
    name: {"type": "array", "items": _NOTE} for name in ("refused", "warnings")
}
_CUSTOMER: Final = {"type": "object", "description": "Attributes, which are traits."}
_EVENT: Final = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "data": _OBJECT,
        "timestamp": _MOMENT,
        "id": _ID,
        "type": {"type": "string"},
    },
}


def client_operations(refusals: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the paths of these routes; ``refusals`` are the responses of any route."""
    paths: dict[str, dict[str, Any]] = {}
    for path, method, operation in (*_of_segment(), *_of_customerio()):
        operation["responses"] |= refusals
        paths.setdefault(path, {})[method] = operation
    return paths


def _of_segment() -> Iterator[tuple[str, str, dict[str, Any]]]:
    prefix = CLIENTS.decode()
    for kind, names in PATHS.items():
        for name in names:
            body = {"type": "object", "properties": {**_MEMBERS, **_OWN[kind]}}
            operation = _operation(f"segment.{name}", f"Take one {kind} message.", _TAKEN)
            yield f"{prefix}{name}", "post", operation | _sent(body) | _by("write key")
    batch = {
        "type": "object",
        "required": ["batch"],
        "properties": {
            "batch": {"type": "array", "items": {"type": "object", "properties": _MEMBERS}},
            "sentAt": _MOMENT,
        },
    }
    for name in BATCH_PATHS:
        summary = "Take a batch of messages, each of its own type."
        operation = _operation(f"segment.{name}", summary, _TAKEN_BATCH)
        yield f"{prefix}{name}", "post", operation | _sent(batch) | _by("write key")


def _of_customerio() -> Iterator[tuple[str, str, dict[str, Any]]]:
    said = (
        ("", "put", "identify", "Create or change a customer.", _CUSTOMER),
        ("/events", "post", "track", "Track an event of a customer.", _EVENT),
        ("", "delete", "delete", "Erase a customer.", None),
        ("/suppress", "post", "suppress", "Unsubscribe a customer from everything.", None),
        ("/unsuppress", "post", "unsuppress", "Lift that it was suppressed.", None),
    )
    customer = {"type": "string", "minLength": 1, "maxLength": 255}
    named = {"name": "id", "in": "path", "required": True, "schema": customer}
    for path, method, name, summary, body in said:
        operation = _operation(f"customerio.{name}", summary, {}) | _by("API key")
        sent = {} if body is None else _sent(body)
        yield f"{CUSTOMERS}{path}", method, {**operation, "parameters": [named], **sent}


def _operation(name: str, summary: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": answer}
    content = {"application/json": {"schema": schema}}
    return {
        "operationId": name,
        "summary": summary,
        "tags": [name.partition(".")[0]],
        "responses": {"200": {"description": "Taken.", "content": content}},
    }


def _sent(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}


def _by(scheme: str) -> dict[str, Any]:
    return {"security": [{scheme: []}]}
