"""The OpenAPI document, made from the table of doors and their models (contract §12)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from halo_engine.cli.schemas.json_schema import schemas_of
from halo_engine.domain.roles import Role
from halo_engine.doors.door import AnyDoor
from halo_engine.doors.table import DOORS

from ..messages.fields import CallFields
from ..messages.forms import FILE, OPTIONS
from .client_operations import CLIENT_SECURITY, client_operations
from .hook_operations import hook_operations
from .imports import UPLOADS

_REF: Final = "#/components/schemas/"
#: What any request may be refused with.
_REFUSALS: Final = (400, 401, 403, 404, 405, 408, 409, 413, 415, 429, 431, 500, 503)
_PROBLEM: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "A refusal (RFC 9457); `detail` is what the task would say.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "pattern": "^urn:halo:[a-z0-9_]+$"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "field": {"type": "string"},
        "index": {"type": "integer"},
        "allowed": {"type": "string"},
        "faults": {"type": "array", "items": {"type": "object"}},
    },
}
_CURSOR: Final[Mapping[str, Any]] = {"type": ["string", "null"]}
_KEY: Final[Mapping[str, Any]] = {"type": "string", "minLength": 1, "maxLength": 255}
_SECURITY: Final = {
    "widget key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "ab_live_…",
        "description": "The organisation's publishable widget key.",
    },
    "operator key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "hk_…",
        "description": "A key of `halo key create`; its role says what it may.",
    },
}
_DESCRIPTION: Final = (
    "Everything that callers can ask of the engine. A path is split before it is decoded, so a "
    "contact's ID is percent-encoded in it. Lists are pages: `next` is the `after` of the page "
    "that follows."
)


@cache
def document() -> Mapping[str, Any]:
    """Return the OpenAPI 3.1 document."""
    doors = [door for door in DOORS.values() if door.route is not None]
    bodies, answers, schemas = _schemas(doors)
    paths: dict[str, dict[str, Any]] = {}
    for door in doors:
        assert door.route is not None
        path, method = paths.setdefault(door.route.path, {}), door.route.method.lower()
        operation = _operation(door, bodies[door.name], answers[door.name])
        path[method] = _both(path[method], operation) if method in path else operation
    hooks, of_hooks = hook_operations(_REF, _refusals())
    paths |= hooks
    paths |= client_operations(_refusals())
    paths[UPLOADS]["post"] = _upload(answers["imports.start"])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "halo-engine",
            "version": version("halo-engine"),
            "description": _DESCRIPTION,
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM, **schemas, **of_hooks},
            "securitySchemes": {**_SECURITY, **CLIENT_SECURITY},
        },
    }


def _schemas(
    doors: Sequence[AnyDoor],
) -> tuple[Mapping[str, Any], Mapping[str, Any], dict[str, Any]]:
    """Return what each door takes and answers, and the schemas that these refer to."""
    calls = {door.name: door.call for door in doors}
    answers = {door.name: door.answer for door in doors}
    taken, answered, schemas = schemas_of(calls, answers, f"{_REF}{{model}}")
    bodies = {door.name: _taken(door, taken[door.name], schemas) for door in doors}
    shown = {door.name: _shown(door, answered[door.name], schemas) for door in doors}
    return bodies, shown, schemas


def _shown(
    door: AnyDoor, answer: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the schema of a route's answer: the door's, or a page of it."""
    route = CallFields.of(door).route
    if route.items is None:
        return answer if route.cursor is None else _page(answer, _CURSOR)
    properties = schemas[answer["$ref"].removeprefix(_REF)]["properties"]
    following = properties["next"] if route.cursor is None else _CURSOR
    return _page(properties[route.items], following)


def _page(items: Mapping[str, Any], following: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {"items": items, "next": following},
    }


def _taken(door: AnyDoor, call: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a route's body: the call's, less what stands elsewhere."""
    fields = CallFields.of(door)
    described = schemas[call["$ref"].removeprefix(_REF)]
    properties = described.get("properties", {})
    if fields.route.body is not None:
        body: Mapping[str, Any] = properties[fields.route.body]
        return body
    if not fields.in_path:
        return call
    required = [name for name in described.get("required", ()) if name not in fields.in_path]
    return {
        **described,
        "properties": {
            name: each for name, each in properties.items() if name not in fields.in_path
        },
        "required": required,
    }


def _operation(
    door: AnyDoor, taken: Mapping[str, Any], answered: Mapping[str, Any]
) -> dict[str, Any]:
    fields = CallFields.of(door)
    operation: dict[str, Any] = {
        "operationId": door.name,
        "summary": door.summary,
        "description": f"Task `{door.task}`. {_who(door)}",
        "tags": [door.name.partition(".")[0]],
        "security": [{name: []} for name in _keys(door)],
        "parameters": list(_parameters(fields)),
        "responses": {**_answers(fields, answered), **_refusals()},
    }
    if fields.route.method in ("POST", "PUT"):
        elsewhere = {*fields.in_path, *fields.in_query}
        is_needed = any(
            field.is_required() and name not in elsewhere
            for name, field in door.call.model_fields.items()
        )
        content = {"application/json": {"schema": taken}}
        operation["requestBody"] = {"required": is_needed, "content": content}
    return operation


def _upload(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operation that takes a file, which no call of a door holds."""
    door = DOORS["imports.start"]
    options = {"type": "string", "description": "How it is read: a JSON object."}
    file = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {OPTIONS: options, FILE: file}, "required": [FILE]}
    taken = {"description": "Taken.", "content": {"application/json": {"schema": answer}}}
    return {
        "operationId": "imports.upload",
        "summary": door.summary,
        "description": f"The file itself, or a form of it. {_who(door)}",
        "tags": ["imports"],
        "security": [{name: []} for name in _keys(door)],
        "parameters": [
            _parameter("query", OPTIONS, options, required=False),
            _parameter("header", "Idempotency-Key", _KEY, required=False),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "multipart/form-data": {"schema": form},
            },
        },
        "responses": {"202": taken, **_refusals()},
    }


def _both(first: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
    """Return the operation of two doors that share a route; a query parameter chooses one."""
    known = [each["name"] for each in first["parameters"]]
    more = [
        {**each, "required": False} for each in chosen["parameters"] if each["name"] not in known
    ]
    schemas = [
        each["responses"]["200"]["content"]["application/json"]["schema"]
        for each in (first, chosen)
    ]
    content = {"application/json": {"schema": {"anyOf": schemas}}}
    return {
        **first,
        "description": f"{first['description']}\n\n{chosen['summary']} {chosen['description']}",
        "parameters": [*first["parameters"], *more],
        "responses": {**first["responses"], "200": {"description": "Done.", "content": content}},
    }


def _keys(door: AnyDoor) -> Iterable[str]:
    return ("widget key", "operator key") if door.role is Role.INGEST else ("operator key",)


def _who(door: AnyDoor) -> str:
    if door.role is Role.INGEST:
        return "Takes the widget key, or an operator key of role ingest."
    return f"Takes an operator key of role {door.role}, or of one that may more."


def _parameters(fields: CallFields) -> Iterator[Mapping[str, Any]]:
    for name, schema in fields.in_path.items():
        yield _parameter("path", name, schema, required=True)
    for name, queried in fields.in_query.items():
        yield _parameter("query", name, _given(queried.schema), required=queried.is_required)
    if fields.in_header:
        version = {"type": "string", "examples": ['"7"']}
        yield _parameter("header", "If-Match", version, required=False)
        new = {"type": "string", "enum": ["*"]}
        yield _parameter("header", "If-None-Match", new, required=False)
    if fields.takes_key:
        yield _parameter("header", "Idempotency-Key", _KEY, required=False)


def _given(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a parameter that is given: then it is not null."""
    allowed = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return allowed[0] if len(allowed) == 1 else schema


def _parameter(
    where: str, name: str, schema: Mapping[str, Any], *, required: bool
) -> Mapping[str, Any]:
    return {"name": name, "in": where, "required": required, "schema": schema}


def _answers(fields: CallFields, answered: Mapping[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": "Done.",
        "content": {"application/json": {"schema": answered}},
    }
    if fields.is_versioned:
        tag = {"schema": {"type": "string"}, "description": "The version, for `If-Match`."}
        response["headers"] = {"ETag": tag}
    statuses = ("200", "201") if fields.route.method == "PUT" else ("200",)
    return dict.fromkeys(statuses, response)


def _refusals() -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": f"{_REF}Problem"}}}
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status in _REFUSALS
    }
