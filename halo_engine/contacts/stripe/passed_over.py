"""Count the objects of Stripe that name no customer (contract §2, Stripe)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Insert, Select, select
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.reasons import PassedOver
from halo_engine.sql.statements import statement
from halo_engine.tables import stripe_passed_over
from halo_engine.work import Work


def note_passed_over(work: Work, why: PassedOver, count: int = 1) -> None:
    """Count objects that are passed over; ``halo status`` shows how many there were."""
    if not count:
        return
    work.connection.execute(_noting(work, why, count))


@statement("note_passed_over", why=PassedOver.THIN_EVENT, count=1)
def _noting(work: Work, why: PassedOver, count: int) -> Insert:
    table = stripe_passed_over
    new = insert(table).values(org_id=work.org_id, why=why, count=count, latest_at=work.now)
    return new.on_conflict_do_update(
        index_elements=[table.c.org_id, table.c.why],
        set_={"count": table.c.count + new.excluded.count, "latest_at": work.now},
    )


def passed_over(work: Work) -> Mapping[PassedOver, int]:
    """Return how many of Stripe's objects were ever passed over in the organisation, by reason."""
    rows = work.connection.execute(_read_passed_over(work))
    return {PassedOver(why): count for why, count in rows}


@statement("read_passed_over")
def _read_passed_over(work: Work) -> Select[Any]:
    table = stripe_passed_over
    counts = select(table.c.why, table.c.count).where(table.c.org_id == work.org_id)
    return counts.order_by(table.c.why)
