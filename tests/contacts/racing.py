"""Doors that are gone through at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from sqlalchemy import Connection, Engine

from halo_engine.database import run_in_transaction
from halo_engine.opening import open_work
from halo_engine.work import OrgRef, Work
from tests.contacts.sandbox import NOW

_Result = TypeVar("_Result")


def at_once(database: Engine, org: OrgRef, *actions: Callable[[Work], _Result]) -> list[_Result]:
    """Run each action in a transaction of its own, all starting at the same moment.

    An action that loses a race is run again, as the edge does it.
    """
    barrier = Barrier(len(actions))

    def run(action: Callable[[Work], _Result]) -> _Result:
        tries = 0

        def opened(connection: Connection) -> _Result:
            nonlocal tries
            tries += 1
            work = open_work(connection, org, NOW)
            if tries == 1:
                barrier.wait(timeout=120)
            return action(work)

        return run_in_transaction(database, opened)

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))
