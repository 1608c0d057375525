"""The locks of surges: between transactions that count who enters a series (contract §19).

Each is taken after the series lock and before company seats and contacts (decision 4). It is a
statement of its own, so that the next one sees what was committed while this one waited.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Integer, Select, Text, cast, column, func, select

from halo_engine.domain.series.definition import Series
from halo_engine.series.locks import SURGE_LOCK
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.work import Work


def lock_surges(work: Work, series: Iterable[Series]) -> None:
    """Lock those of the series that have surges until the transaction ends; two series whose ids
    hash alike merely wait for each other.
    """
    keys = sorted({each.id.int & 0x7FFFFFFF for each in series if each.has_surges})
    if keys:
        _locking().rows(work.connection, {"lock_keys": keys})


@prepared("lock_surges")
def _locking() -> Select[Any]:
    keys = (
        func.unnest(parameter("lock_keys"))
        .table_valued(column("key", Integer()), name="keys")
        .render_derived()
    )
    return select(func.count(cast(func.pg_advisory_xact_lock(SURGE_LOCK, keys.c.key), Text)))
