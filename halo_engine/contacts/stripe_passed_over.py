"""Counting what Stripe sent about nobody (contract §2, Stripe)."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.reasons import PassedOver
from halo_engine.tables import stripe_passed_over
from halo_engine.work import Work


def note_passed_over(work: Work, why: PassedOver, count: int = 1) -> None:
    """Count objects that are passed over; ``halo status`` shows how many there were."""
    if not count:
        return
    table = stripe_passed_over
    new = insert(table).values(org_id=work.org_id, why=why, count=count, latest_at=work.now)
    work.connection.execute(
        new.on_conflict_do_update(
            index_elements=[table.c.org_id, table.c.why],
            set_={"count": table.c.count + new.excluded.count, "latest_at": work.now},
        )
    )


def passed_over(work: Work) -> Mapping[PassedOver, int]:
    """Return how many objects of Stripe's were ever passed over in the organisation, by reason."""
    table = stripe_passed_over
    counts = select(table.c.why, table.c.count).where(table.c.org_id == work.org_id)
    rows = work.connection.execute(counts.order_by(table.c.why))
    return {PassedOver(why): count for why, count in rows}
