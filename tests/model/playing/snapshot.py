"""Everything that can be expected of the model now, in the words of a scenario's `expect`."""

from datetime import datetime
from typing import Any

from tests.model.world import World

QUERIES = (
    "status",
    "matched",
    "enrolled",
    "enrollments",
    "active",
    "held",
    "surge_at_most",
    "sent",
    "exited",
    "converted",
)


def _written(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def snapshot(world: World) -> dict[str, Any]:
    """Return an `expect` mapping of every series and contact, instants as text (scenarios.md).

    Written into a scenario after the actions that the world has played, it holds; compared with
    an engine's answers it says where the two differ.
    """
    found: dict[str, Any] = {
        query: {key: getattr(world, query)(key) for key in world.series} for query in QUERIES
    }
    names = [contact.label for contact in world.contacts]
    found["recipients"] = {
        key: [{name: _written(row[name]) for name in row} for row in world.recipients(key)]
        for key in world.series
    }
    found["explain"] = {
        key: {name: world.explain(name, key) for name in names} for key in world.series
    }
    found["ledger"] = {key: world.ledger(key) for key in world.series}
    found["preflight"] = {key: world.preflight(key) for key in world.series}
    found["last_seen"] = {name: _written(world.last_seen(name)) for name in names}
    return found
