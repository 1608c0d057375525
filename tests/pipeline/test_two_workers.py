"""Two workers at once share an organisation's due rows, and a pause comes between two batches."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select, text

from halo_engine.domain.reasons import Status
from halo_engine.pipeline.advance import Advance, advance
from halo_engine.series.lifecycle import pause
from halo_engine.series.locks import hold_series_still
from halo_engine.tables import automation_enrollments, automation_recipients, signals
from halo_engine.work import Work
from tests.contacts.sandbox import while_open
from tests.pipeline.sandbox import Sandbox

CONTACTS = 200
BATCH = 10


def test_no_due_row_is_done_twice_and_both_workers_have_some(sandbox: Sandbox) -> None:
    """Two that claim small batches at the same time finish each row once, and none is left: neither
    waits for the other's transaction.
    """
    gate = {"key": "gate", "condition": {"type": "user_property", "value": "email contains a."}}
    later = {"key": "later", "delay": "1d", "email": {"subject": "Later", "body": "Later"}}
    sandbox.series("gated", steps=[{**gate, "delay": "1h"}, later])
    sandbox.signal(sandbox.contacts(f"u{number}" for number in range(CONTACTS)))
    sandbox.settle()
    sandbox.now += timedelta(hours=1)
    together = threading.Barrier(2)
    done: list[list[int]] = [[], []]

    def first_batch(work: Work) -> Advance | None:
        advanced = advance(work, BATCH)
        together.wait(timeout=120)
        return advanced

    def work(mine: list[int]) -> None:
        advanced = sandbox.perform(first_batch)
        while advanced is not None:
            mine += [row for each in advanced.finished for row in each.recipient_ids]
            advanced = sandbox.perform(lambda work: advance(work, BATCH))

    workers = [threading.Thread(target=work, args=(mine,)) for mine in done]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    first, second = map(set, done)
    assert min(len(first), len(second)) >= BATCH
    assert not first & second
    assert len(done[0]) + len(done[1]) == len(first | second) == CONTACTS
    rows = automation_recipients
    counted = select(rows.c.status, func.count()).where(rows.c.org_id == sandbox.org_id)
    with sandbox.database.connect() as connection:
        counts = connection.execute(counted.group_by(rows.c.status)).all()
    assert dict(map(tuple, counts)) == {Status.COMPLETED: CONTACTS, Status.PENDING: CONTACTS}


def test_a_pause_waits_for_the_batch_under_way_alone(sandbox: Sandbox) -> None:
    """A pause waits for the batch under way; a newer batch waits behind it, and admits nobody."""
    sandbox.series("welcome")
    sandbox.signal(sandbox.contacts(["ann"]))
    waiting = text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )

    def queue_behind_it() -> None:
        newer.append(pool.submit(sandbox.settle))
        with sandbox.database.connect() as watcher:
            while watcher.scalar(waiting) != 2:
                assert not newer[0].done(), "a newer batch overtook the pause"

    newer: list[Future[list[Any]]] = []
    with ThreadPoolExecutor(1) as pool:
        while_open(
            sandbox.database,
            sandbox.org,
            hold_series_still,
            lambda: sandbox.perform(partial(pause, key="welcome", by="test")),
            meanwhile=queue_behind_it,
        )
        newer[0].result(timeout=120)
    assert sandbox.count(automation_enrollments) == 0
    assert sandbox.count(signals) == 0
