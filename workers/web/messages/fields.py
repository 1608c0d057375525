"""How the fields of a door's call are read from a request: path, query, body (contract §12)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, Self
from urllib.parse import parse_qsl

from pydantic import BaseModel

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.domain.answer import LARGEST_PAGE, PAGE, PageLimit
from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.roles import Role
from halo_engine.doors.calls import ANY
from halo_engine.doors.door import AnyDoor
from halo_engine.doors.over_http.routes import Route

from .requests import Request

#: Answers that show a key or secret, once: they are never stored.
_NEVER_STORED: Final = frozenset({"keys.create", "webhooks.create", "webhooks.rotate_secret"})
_MOST_QUERIED: Final = 100
_SCALARS: Final = frozenset({"string", "integer", "boolean", "null"})
_DROPPED: Final = frozenset({"title", "default", "description"})
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_BOOLEANS: Final = {"true": True, "false": False}
#: A version as an entity tag, which GET and PUT answer with.
_IF_MATCH: Final = "If-Match"
_IF_NONE_MATCH: Final = "If-None-Match"
_PLAN: Final = re.compile(r'"?(plan-[0-9a-f]{32})"?')
#: A proxy that compresses an answer makes its tag weak; it names the same version.
_VERSION: Final = re.compile(r'(?:W/)?"([0-9]{1,9})"')


class QueryField(NamedTuple):
    """A field of the call that is given in the query, with its schema."""

    field: str
    schema: Mapping[str, Any]
    is_required: bool


class PageCall(Call):
    """Which page of a list: ``limit`` items, after the one that ``after`` names."""

    after: Identifier | None = None
    limit: PageLimit = PAGE


@dataclass(frozen=True)
class CallFields:
    """Reads the fields of a door's calls from requests, as its route says."""

    door: AnyDoor
    route: Route

    @classmethod
    def of(cls, door: AnyDoor) -> Self:
        """Return the reader for a door that has a route."""
        assert door.route is not None, door.name
        return cls(door, door.route)

    @cached_property
    def is_versioned(self) -> bool:
        """Whether the answer's version is sent as its entity tag."""
        fields = getattr(self.door.answer, "model_fields", {})
        return "version" in fields

    @cached_property
    def takes_key(self) -> bool:
        """Whether an ``Idempotency-Key`` makes its calls safe to repeat."""
        is_change = self.route.method == "POST" and self.door.act.changes
        if self.door.role is Role.INGEST:
            return "idempotency_key" in self.door.call.model_fields
        return is_change and self.door.name not in _NEVER_STORED

    @cached_property
    def in_path(self) -> Mapping[str, Mapping[str, Any]]:
        """The fields that are parameters of the path, each with its schema."""
        described = _scalars(self.door.call)
        return {name: described[name] for name in re.findall(r"{(\w+)}", self.route.path)}

    @cached_property
    def in_query(self) -> Mapping[str, QueryField]:
        """The fields that are given in the query, by their names there."""
        route = self.route
        if route.method in ("POST", "PUT") and route.body is None:
            return {}
        elsewhere = {*self.in_path, route.body, *self.in_header}
        models: list[type[BaseModel]] = [self.door.call]
        if route.cursor is not None:
            models.append(PageCall)
        found: dict[str, QueryField] = {}
        for model in models:
            for field, schema in _scalars(model).items():
                if field not in elsewhere:
                    name = route.names.get(field, field)
                    is_required = model.model_fields[field].is_required()
                    found[name] = QueryField(field, _bounded(name, schema), is_required)
        return found

    @cached_property
    def in_header(self) -> frozenset[str]:
        """``version`` and ``plan``, if a PUT takes them as ``If-Match`` or ``If-None-Match``."""
        is_versioned = self.route.method == "PUT" and "version" in self.door.call.model_fields
        return frozenset({"version", "plan"} if is_versioned else ())

    async def read(self, request: Request) -> Any:
        """Return the fields of a call; raises a 400, 413 or 415."""
        fields = {**self._queried(request), **self._versioned(request), **request.parameters}
        if self.route.method not in ("POST", "PUT"):
            return fields
        body = await _body(request)
        if self.route.body is not None:
            return {**fields, self.route.body: body}
        if not isinstance(body, dict):
            # The call's model refuses it.
            return body
        for name in body.keys() & fields.keys():
            problem = "stands in the path already; allowed is that alone"
            raise bad_input(f"{self.door.task}.{name}", problem, "unknown_key")
        return {**body, **fields}

    def _queried(self, request: Request) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, text in pairs(request.query):
            if name in found:
                problem = "comes twice; allowed is once"
                raise bad_input(f"{self.door.task}.{name}", problem, "duplicate_key")
            if name not in self.in_query:
                allowed = ", ".join(self.in_query) or "none"
                problem = f"unknown key in the query; allowed are {allowed}"
                raise bad_input(f"{self.door.task}.{name}", problem, "unknown_key")
            found[name] = text
        return {self.in_query[name].field: self._typed(name, text) for name, text in found.items()}

    def _typed(self, name: str, text: str) -> Any:
        """Return the text as a number or boolean if the field is one, else unchanged."""
        types = _types(self.in_query[name].schema)
        if "boolean" in types:
            return _BOOLEANS.get(text, text)
        if "integer" not in types:
            return text
        if not _INTEGER.fullmatch(text):
            if "string" in types:
                return text
            # By its name in the query: the call's model would refuse it by the field's.
            problem = f"{shown(text)} is refused; allowed is a whole number"
            raise bad_input(f"{self.door.task}.{name}", problem)
        number = int(text)
        if name == "limit" and not 1 <= number <= LARGEST_PAGE:
            problem = f"{text} is refused; allowed are 1 to {LARGEST_PAGE}"
            raise bad_input(f"{self.door.task}.limit", problem)
        return number

    def _versioned(self, request: Request) -> dict[str, Any]:
        if not self.in_header:
            return {}
        given = {
            name: request.headers[name.lower().encode()].decode("latin-1")
            for name in (_IF_MATCH, _IF_NONE_MATCH)
            if name.lower().encode() in request.headers
        }
        match given:
            case {"If-Match": _, "If-None-Match": _}:
                problem = "is not taken beside If-Match; allowed is one of the two"
                raise bad_input(_IF_NONE_MATCH, problem)
            case {"If-Match": tag}:
                token = _PLAN.fullmatch(tag)
                if token is not None:
                    return {"plan": token[1]}
                return {"version": ANY if tag == ANY else _version(tag)}
            case {"If-None-Match": tag}:
                if tag != ANY:
                    problem = f"{shown(tag)} is refused; allowed is *: the series must be new"
                    raise bad_input(_IF_NONE_MATCH, problem)
                return {"version": 0}
        return {}


def _version(tag: str) -> int:
    found = _VERSION.fullmatch(tag)
    if found is None:
        problem = (
            f"{shown(tag)} is no version; allowed are *, the token of a plan, and an ETag that"
        )
        raise bad_input(_IF_MATCH, f'{problem} a GET or PUT answered with, such as "7"')
    return int(found[1])


async def _body(request: Request) -> Any:
    """Return the body's JSON value; a missing body is an empty object."""
    length = request.headers.get(b"content-length", b"0")
    if length == b"0" and b"transfer-encoding" not in request.headers:
        await request.body()
        return {}
    return await request.json()


def pairs(query: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a query; raises a 400 if it is malformed."""
    if not query:
        return []
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_QUERIED,
        )
    except ValueError:
        problem = "is not NAME=VALUE, percent-encoded UTF-8, joined by &"
        raise bad_input("query", f"{problem}; allowed are {_MOST_QUERIED} of them") from None


def _scalars(model: type[BaseModel]) -> dict[str, Mapping[str, Any]]:
    """Return the schemas of the model's fields that a query can give."""
    described = model.model_json_schema()
    parts = described.get("$defs", {})
    fields = {
        name: _inlined(schema, parts) for name, schema in described.get("properties", {}).items()
    }
    return {name: schema for name, schema in fields.items() if _types(schema) <= _SCALARS}


def _inlined(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with its references to ``parts`` replaced by their schemas."""
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"].rpartition("/")[2]], parts)
    said = {name: value for name, value in schema.items() if name not in _DROPPED}
    if "anyOf" in schema:
        said["anyOf"] = [_inlined(each, parts) for each in schema["anyOf"]]
    return said


def _types(schema: Mapping[str, Any]) -> set[str]:
    return {each.get("type", "any") for each in schema.get("anyOf", [schema])}


def _bounded(name: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**schema, "maximum": LARGEST_PAGE} if name == "limit" else schema
