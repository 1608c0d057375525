"""Record what happens to rows that are not done: a later due time, or a lease (contract §5, §9)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import BigInteger, Connection, DateTime, Update, any_, func, literal, update
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.reasons import Status
from halo_engine.domain.series.decisions import Postpone, Send
from halo_engine.journey.parking import IN_THE_QUEUE, SUCCEEDED
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_recipients
from halo_engine.tables.enrollments import DUE, FIRST_DUE


def record_postponed(connection: Connection, org_id: UUID, postponed: Sequence[Postpone]) -> None:
    """Move rows that are due outside their window to its next opening (contract §5)."""
    if not postponed:
        return
    connection.execute(_postpone_rows(org_id, postponed))


@statement("postpone_rows")
def _postpone_rows(org_id: UUID, postponed: Sequence[Postpone]) -> Update:
    rows = automation_recipients
    until = [(row, each.until) for each in postponed for row in each.due.recipient_ids]
    given = rows_of(
        "given",
        {
            "id": (BigInteger(), [row for row, _ in until]),
            "until": (DateTime(timezone=True), [instant for _, instant in until]),
        },
    )
    return (
        update(rows)
        .where(rows.c.org_id == org_id, rows.c.id == given.c.id, rows.c.status == Status.PENDING)
        .values(**SUCCEEDED, scheduled_for=given.c.until, first_due=FIRST_DUE)
    )


def record_leases(
    connection: Connection,
    org_id: UUID,
    sends: Sequence[Send],
    token: UUID,
    expires_in_seconds: float,
) -> None:
    """Lease rows whose email is to be sent to the worker that holds ``token`` (contract §9).

    The lease always runs on the database's clock.
    """
    if not sends:
        return
    connection.execute(_lease_rows(org_id, sends, token, expires_in_seconds))


@statement("lease_rows", expires_in_seconds=300)
def _lease_rows(
    org_id: UUID, sends: Sequence[Send], lease_token: UUID, expires_in_seconds: float
) -> Update:
    rows = automation_recipients
    ids = literal([each.due.recipient_id for each in sends], ARRAY(BigInteger()))
    return (
        update(rows)
        .where(rows.c.org_id == org_id, rows.c.id == any_(ids), rows.c.status == Status.PENDING)
        .values(
            **IN_THE_QUEUE,
            status=Status.PROCESSING,
            scheduled_for=DUE,
            lease_token=lease_token,
            lease_expires_at=func.clock_timestamp()
            + func.make_interval(0, 0, 0, 0, 0, 0, expires_in_seconds),
            attempts=rows.c.attempts + 1,
        )
    )
