"""The table of doors: each row is complete, and tasks are made from it."""

import re
from typing import Any

import pytest
from pydantic import TypeAdapter

from halo_engine.contacts.calls import Call
from halo_engine.domain.errors import Refusal
from halo_engine.domain.roles import Role
from halo_engine.doors.over_http.routes import DOCUMENTED, Route
from halo_engine.doors.table import DOORS
from workers.app import app

#: Tasks by which workers drive themselves: nobody asks for anything by them.
_WORKERS_OWN = {"halo.tick", "halo.settle", "halo.gathered", "halo.webhooks.deliver"}
#: Questions that an admin alone may ask.
#: An uploaded file is of whoever may start its import.
_EDITORS = {"imports.look", "imports.try"}
_ADMINS = {"keys.list", "audit.list", "webhooks.list", "webhooks.deliveries"}


def test_every_task_is_a_door() -> None:
    """Each task is the row of its name in the table, or one of the workers' own."""
    app.loader.import_default_modules()
    tasks = {name for name in app.tasks if name.startswith("halo.")}
    assert tasks == {door.task for door in DOORS.values()} | _WORKERS_OWN


@pytest.mark.parametrize("name", DOORS)
def test_a_row_says_what_a_stranger_asks(name: str) -> None:
    """Each row has a short name, a one-sentence summary, a call, and an answer with a schema."""
    door = DOORS[name]
    assert re.fullmatch(r"[a-z]+(\.[a-z]+(_[a-z]+)*)?", name)
    assert door.name == name
    assert re.fullmatch(r"[A-Z][^\n]*\.", door.summary)
    assert issubclass(door.call, Call)
    assert TypeAdapter[Any](door.answer).json_schema(mode="serialization")


@pytest.mark.parametrize("name", DOORS)
def test_a_call_is_refused_by_the_name_of_its_task(name: str) -> None:
    """A field that the call does not have is named, under the task's name."""
    with pytest.raises(Refusal, match=rf"^halo\.{name}\.dance: unknown key") as refused:
        DOORS[name].read({"dance": 1})
    assert (refused.value.status, refused.value.code) == (400, "unknown_key")


def test_whoever_may_only_look_changes_nothing() -> None:
    """A viewer's doors change nothing, and read every answer but keys, the audit log, webhooks
    and uploaded files.
    """
    for door in DOORS.values():
        assert not (door.role is Role.VIEWER and door.act.changes), door.name
        reads = not door.act.changes and door.role is not None
        needed = (
            Role.ADMIN
            if door.name in _ADMINS
            else Role.EDITOR
            if door.name in _EDITORS
            else Role.VIEWER
        )
        assert not reads or door.role is needed, door.name


def test_each_door_that_a_key_opens_has_a_route_of_its_own() -> None:
    """Doors that share a path differ in the query; links, batches and the installation have no
    route.
    """
    routes = [door.route for door in DOORS.values() if door.route is not None]
    assert len({(each.method, each.path, each.chosen_by) for each in routes}) == len(routes)
    assert {name for name, door in DOORS.items() if door.route is None} == {
        "mail.receive",
        "batch",
        "imports.run",
        *(name for name in DOORS if name.startswith("links.")),
    }


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_route_names_fields_of_its_door(name: str) -> None:
    """Names in braces, and the name of the whole body, are fields of the call."""
    route = DOCUMENTED[name]
    chosen = {name for name in (route.body, route.chosen_by) if name is not None}
    named = {*re.findall(r"{(\w+)}", route.path), *route.names, *chosen}
    assert named <= set(DOORS[name].call.model_fields)


def test_the_rule_makes_routes_of_names() -> None:
    """`halo.a.b_c` is `POST /api/a/b-c`; of one series it stands below that series."""
    routes = {
        name: DOORS[name].route for name in ("series.apply", "series.send_test", "rows.retry")
    }
    assert routes == {
        "series.apply": Route("POST", "/api/series/apply"),
        "series.send_test": Route("POST", "/api/series/{series}/send-test"),
        "rows.retry": Route("POST", "/api/rows/retry"),
    }
