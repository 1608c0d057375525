"""Makes the page of HTTP routes from the table of doors."""

from collections.abc import Iterator
from typing import Final

from halo_engine.domain.roles import Role
from halo_engine.doors.door import AnyDoor
from halo_engine.doors.over_http.hooks import MAIL, STRIPE
from halo_engine.doors.table import DOORS
from manual.markdown import code, table
from workers.web.endpoints.client_operations import client_operations

#: Routes that webhooks are sent to.
_HOOKS: Final = (STRIPE, MAIL)

_INTRODUCTION: Final = """\
Every route that a key or a signature opens. It takes and answers the fields of its
[task](tasks.md); the key names the organisation. A running server describes all of it at
`/openapi.json`, and shows it at `/docs`. [Contract §12](../contract.md#12-http) says what holds for
every route.

A field that stands in the path is percent-encoded. GET and DELETE take the other fields from the
query, POST and PUT from a JSON object in the body.
"""


_CLIENTS: Final = """
## By the clients of Segment, RudderStack and Customer.io

[Contract §13](../contract.md#13-other-peoples-clients) says what becomes of their messages.
"""


def page() -> str:
    """Return the page: the routes by who may call them."""
    lines = ["# HTTP routes\n", _INTRODUCTION]
    for role in (Role.INGEST, Role.VIEWER, Role.EDITOR, Role.ADMIN):
        lines += [f"## {_WHO[role]}\n", table(("route", "does", "task"), _rows(role))]
    hooks = ((code(f"POST {hook.path}"), hook.summary, _task(DOORS[hook.door])) for hook in _HOOKS)
    lines += ["## By a signature\n", table(("route", "does", "task"), hooks)]
    lines += [_CLIENTS, table(("route", "does"), _clients())]
    return "\n".join(lines)


_WHO: Final = {
    Role.INGEST: "By the widget key, or an `ingest` key",
    Role.VIEWER: "By a `viewer`",
    Role.EDITOR: "By an `editor` too",
    Role.ADMIN: "By an `admin` too",
}


def _rows(role: Role) -> Iterator[tuple[str, str, str]]:
    for door in DOORS.values():
        if door.role is role and door.route is not None:
            yield code(_route(door)), door.summary, _task(door)


def _clients() -> Iterator[tuple[str, str]]:
    for path, methods in client_operations({}).items():
        for method, operation in methods.items():
            yield code(f"{method.upper()} {path}"), operation["summary"]


def _route(door: AnyDoor) -> str:
    assert door.route is not None
    chosen = "" if door.route.chosen_by is None else f"?{door.route.chosen_by}="
    return f"{door.route.method} {door.route.path}{chosen}"


def _task(door: AnyDoor) -> str:
    return f"[`{door.name}`](tasks.md#{door.task.replace('.', '')})"
