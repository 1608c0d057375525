"""Makes the page of tasks from the table of doors."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from halo_engine.domain.roles import Role
from halo_engine.doors.acts import Follow, Manage, Write
from halo_engine.doors.door import AnyDoor
from halo_engine.doors.table import DOORS
from manual.markdown import code, prose, table
from manual.shapes import Key, Shape
from workers.web.endpoints.openapi import document

_NAMED: Final = {"Filter": "a [filter](filters.md)", "SeriesDefinition": "a [series](series.md)"}
_INTRODUCTION: Final = """\
Every task, what it takes and what it answers. Call them by name on the queue `halo.calls`, with
keyword arguments ([calling the engine](../guides/calling.md)). Every task also takes `sent_at`, and
operators' tasks that change something `by`, in whose name. Most are routes too
([calling over HTTP](../guides/http.md)), where a key names the organisation. A refused call is
answered `{"refused": {"status", "code", "message"}}` ([refusals](refusals.md)).
"""


def page() -> str:
    """Return the page: all tasks at a glance, then each with its call and its answer."""
    lines = ["# Tasks\n", _INTRODUCTION]
    for who, doors in groups().items():
        lines += [f"**{who}:**\n", table(("task", ""), map(_at_a_glance, doors))]
    for who, doors in groups().items():
        lines.append(f"## {who}\n")
        for door in doors:
            lines += _described(door)
    return "\n".join(lines)


def groups() -> dict[str, list[AnyDoor]]:
    """Return the doors by who calls them, and how a call names its organisation."""
    found: dict[str, list[AnyDoor]] = {}
    for door in DOORS.values():
        found.setdefault(_who(door), []).append(door)
    return found


def _who(door: AnyDoor) -> str:
    if isinstance(door.act, Write):
        return "By applications, with `widget_key`"
    if isinstance(door.act, Follow):
        return "By whoever holds the link of a mail"
    if isinstance(door.act, Manage) and not door.act.takes_org:
        return "For the installation"
    return "By operators, with `org`"


def _at_a_glance(door: AnyDoor) -> tuple[str, str]:
    return f"[`{door.task}`](#{door.task.replace('.', '')})", door.summary


def _described(door: AnyDoor) -> Iterator[str]:
    yield f"### {door.task}\n"
    yield f"{door.summary} {_about(door)}".strip() + "\n"
    yield from _call(door)
    yield from _answer(door)


def _about(door: AnyDoor) -> str:
    """Say whether it may be about the whole installation, its route, and the role it needs."""
    said = []
    if isinstance(door.act, Manage) and door.act.takes_org:
        said.append("Without `org` it is about all organisations.")
    if route := _route(door):
        said.append(f"Over HTTP: {code(route)}.")
    if route and door.role not in (None, Role.INGEST):
        said.append(f"An operator key needs the role {code(door.role)}.")
    return " ".join(said)


def _route(door: AnyDoor) -> str | None:
    """Return the method and path by which the door is served, if it is."""
    route = door.route
    served = route is not None and route.method.lower() in document()["paths"].get(route.path, {})
    return f"{route.method} {route.path}" if route is not None and served else None


def _call(door: AnyDoor) -> Iterator[str]:
    if keys := list(Shape(_schema(door.call, "validation"), _NAMED)):
        yield f"{prose(door.call.__doc__)}\n"
        yield _table(("takes", "", "default"), keys)


def _answer(door: AnyDoor) -> Iterator[str]:
    schema = _schema(door.answer, "serialization")
    kind = "an object"
    if item := schema.get("items"):
        kind, within = "a list of objects", schema["$defs"]
        schema = {**within[item["$ref"].rpartition("/")[2]], "$defs": within}
    yield f"Answers {kind}. {_docstring(door.answer)}\n"
    yield _table(("answers", ""), list(Shape(schema, _NAMED)))


def _table(head: Sequence[str], keys: Sequence[Key]) -> str:
    """Return a table of keys; their meanings have a column if any has one."""
    means = any(key.meaning for key in keys)
    rows = [
        (code(key.path), *key[1 : len(head)], *([key.meaning] if means else [])) for key in keys
    ]
    return table((*head, *([""] if means else [])), rows)


def _schema(type_: Any, mode: Any) -> dict[str, Any]:
    return TypeAdapter(type_).json_schema(mode=mode, by_alias=False)


def _docstring(type_: Any) -> str:
    [model] = getattr(type_, "__args__", (type_,))
    return prose(model.__doc__) if isinstance(model, type) and issubclass(model, BaseModel) else ""
