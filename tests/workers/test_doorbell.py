"""The doorbell: rings are coalesced, answered before the look, and never delay a door."""

from uuid import uuid4

import pytest

from halo_engine.settings import Settings
from workers.configuration import EngineApp, create_app
from workers.connections import broker
from workers.doorbell import (
    answer,
    begin_to_look,
    end_looking,
    go_on_looking,
    ring,
    rung_meanwhile,
)
from workers.queue_names import QUEUES
from workers.tracing.causes import Cause, caused_by


@pytest.fixture
def app(broker_url: str) -> EngineApp:
    """A client of the empty broker."""
    return create_app(Settings(broker_url=broker_url))


def test_many_rings_are_one_message(app: EngineApp) -> None:
    """Until a worker looks, an organisation has one message waiting, however often it rings."""
    org, other = uuid4(), uuid4()
    assert [ring(org, app) for _ in range(3)] == [True, False, False]
    assert ring(other, app)
    assert _waiting(app) == 2


def test_an_answered_bell_rings_again(app: EngineApp) -> None:
    """A signal that comes after a worker began to look gets a message of its own."""
    org = uuid4()
    ring(org, app)
    answer(org, app)
    assert ring(org, app)
    assert _waiting(app) == 2


def test_a_lost_message_silences_the_bell_for_a_while_only(app: EngineApp) -> None:
    """The mark that coalesces expires by itself within half a minute."""
    org = uuid4()
    ring(org, app)
    assert 0 < broker(app.conf.broker_url).ttl(f"halo:doorbell:{org}") <= 30


def test_a_message_that_cannot_be_sent_leaves_no_mark(app: EngineApp) -> None:
    """When the mark is set but the message is refused, the next ring tries again."""
    org = uuid4()
    # A queue of the wrong type refuses the message; the mark is taken all the same.
    broker(app.conf.broker_url).set(QUEUES.signals, "no list")
    assert not ring(org, app)
    broker(app.conf.broker_url).delete(QUEUES.signals)
    assert ring(org, app)
    assert _waiting(app) == 1


def test_the_worker_that_looks_is_told_of_a_second_one(app: EngineApp) -> None:
    """A worker that comes while another works leaves; the other learns of it once."""
    org, other = uuid4(), uuid4()
    assert begin_to_look(org, app)
    assert begin_to_look(other, app)
    assert not begin_to_look(org, app)
    assert end_looking(org, app)
    assert begin_to_look(org, app)
    assert not end_looking(org, app)
    assert not end_looking(other, app)


def test_a_mark_that_is_not_renewed_expires(app: EngineApp) -> None:
    """A dead worker's mark expires within a second, and a note left for it within ten."""
    org = uuid4()
    client = broker(app.conf.broker_url)
    begin_to_look(org, app)
    ring(org, app)
    begin_to_look(org, app)
    client.pexpire(f"halo:doorbell:{org}:looking", 100)
    go_on_looking(org, app)
    assert 100 < client.pttl(f"halo:doorbell:{org}:looking") <= 1_000
    assert 0 < client.ttl(f"halo:doorbell:{org}:word") <= 10
    assert 0 < client.ttl(f"halo:doorbell:{org}") <= 10


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "unix:///nowhere/valkey.sock"])
def test_a_broker_that_is_away_fails_nobody(url: str) -> None:
    """Without a broker the doorbell reports that no message went out, and raises nothing."""
    app = create_app(Settings(broker_url=url))
    assert not ring(uuid4(), app)
    answer(uuid4(), app)
    assert begin_to_look(uuid4(), app)
    go_on_looking(uuid4(), app)
    assert not end_looking(uuid4(), app)


def _waiting(app: EngineApp) -> int:
    return int(broker(app.conf.broker_url).llen(QUEUES.signals))


def test_the_worker_that_answers_learns_why_the_bell_rang(app: EngineApp) -> None:
    """The worker learns once of each ring, also of those without a message; the ten latest are
    kept.
    """
    org = uuid4()
    for number in range(12):
        with caused_by(Cause((f"request-{number}",))):
            ring(org, app)
    ids = tuple(f"request-{number}" for number in range(2, 12))
    assert rung_meanwhile(org, app).request_ids == ids
    with caused_by(Cause(("mine",))):
        assert answer(org, app).request_ids == ("mine", *ids)
    assert answer(org, app) == Cause()
