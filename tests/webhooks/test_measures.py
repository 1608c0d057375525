"""What the measures of an installation say of webhooks (contract §14)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Engine

from halo_engine.answers.operations.measures import backlog
from halo_engine.webhooks.attempts import PAUSES
from tests.pipeline.sandbox import new_sandbox
from tests.webhooks.receiver import Receiver
from tests.webhooks.sandbox import Hooks


def measured(database: Engine) -> tuple[int, int, int]:
    """Return how many messages wait, and how many endpoints fail and are off."""
    with database.connect() as connection:
        found = backlog(connection)
    return found.webhooks, found.endpoints_failing, found.endpoints_off


def troubled(database: Engine, receiver: Receiver) -> tuple[Hooks, list[UUID]]:
    """Make an organisation with a message for each of three endpoints: one is gone, one is switched
    off by an operator, one fails. Return it, and the first two.
    """
    made = new_sandbox(database, f"measured-{uuid4()}")
    hooks = Hooks(made.database, made.org)
    kinds = ["contact.entered"]
    receiver.answers = lambda _: 410
    gone = hooks.endpoint(receiver.url, kinds=kinds)
    off = hooks.endpoint(receiver.url, kinds=kinds)
    hooks.change(off.id, off=True)
    hooks.endpoint("http://127.0.0.1:1/halo", kinds=kinds)
    hooks.series("welcome")
    hooks.enter("ann")
    hooks.deliver()
    return hooks, [gone.id, off.id]


def test_what_waits_and_which_endpoints_fail_is_measured(
    new_database: Callable[[], Engine], receiver: Receiver
) -> None:
    """An endpoint that an operator switched off is not failing, but its messages count as
    waiting.
    """
    database = new_database()
    troubled(database, receiver)
    hooks, switched_off = troubled(database, receiver)
    assert measured(database) == (6, 2, 2)
    receiver.answers = lambda _: 204
    for endpoint in switched_off:
        hooks.change(endpoint, off=False)
    hooks.deliver(PAUSES[0])
    assert measured(database) == (4, 2, 1)


def test_what_could_be_sent_is_measured_by_its_age(
    new_database: Callable[[], Engine], receiver: Receiver
) -> None:
    """The age counts only messages that could be sent now: not those between tries, behind another,
    or of an endpoint that is off.
    """
    made = new_sandbox(new_database(), f"measured-{uuid4()}")
    hooks = Hooks(made.database, made.org, now=datetime.now(UTC) - timedelta(hours=1))
    receiver.answers = lambda _: 500
    endpoint = hooks.endpoint(receiver.url, kinds=["contact.entered", "mail.sent"])
    hooks.series("welcome")
    hooks.enter("ann")
    for pause in (timedelta(0), *PAUSES[:3]):
        hooks.deliver(pause)
    # That Ann entered is told in two hours. Her mail has been due for an hour, and waits for that.
    assert age(hooks) == 0
    hooks.enter("bob")
    since = datetime.now(UTC)
    assert age(hooks) >= (since - hooks.now).total_seconds()
    assert age(hooks) <= (datetime.now(UTC) - hooks.now).total_seconds()
    hooks.change(endpoint.id, off=True)
    assert age(hooks) == 0


def age(hooks: Hooks) -> float:
    """Return for how many seconds the oldest message has been due."""
    with hooks.database.connect() as connection:
        return backlog(connection).webhooks_age
