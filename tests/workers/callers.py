"""An organisation, and an application that calls for it, for tests with workers as processes."""

from typing import Any

from sqlalchemy import Engine, func, insert, select

from halo_engine.tables import end_users, organizations
from workers.broker.scripts import IN_HAND
from workers.configuration import EngineApp
from workers.connections import broker
from workers.queue_names import CALLS_QUEUE


def create_organization(database: Engine) -> None:
    """Create the organisation whose key and widget key are ``acme``."""
    now = func.now()
    values = {"key": "acme", "name": "acme", "widget_key": "acme"}
    with database.begin() as connection:
        connection.execute(
            insert(organizations).values(created_at=now, reevaluated_at=now, **values)
        )


def identify(app: EngineApp, number: int) -> Any:
    """Send the identify of a new user, and return its result to come."""
    call = {"widget_key": "acme", "user_id": f"user {number}"}
    return app.send_task("halo.identify", kwargs=call)


def users(database: Engine) -> list[str]:
    """Return the users there are, in the order in which they came."""
    asked = select(end_users.c.external_id).order_by(end_users.c.created_at)
    with database.connect() as connection:
        return list(connection.scalars(asked))


def left(broker_url: str) -> tuple[Any, Any]:
    """Return how many calls wait, and how many messages are in hand, at one moment."""
    with broker(broker_url).pipeline(transaction=True) as both:
        both.llen(CALLS_QUEUE)
        both.hlen(IN_HAND)
        waiting, in_hand = both.execute()
    return waiting, in_hand
