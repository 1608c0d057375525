"""Enrollments, recipients and kept refusals: what a series decided about a contact (§4 to §7).

Constraints hold the contract's promises. ``(series, contact, number)`` is the key, and a new number
is taken only when the latest run has ended, so of two that race one fails. A company's seat is a
unique index over active runs.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    FromClause,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    and_,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.domain.reasons import SkipReason, Status
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.sql.metadata import (
    INSTANT,
    QUEUE_STORAGE,
    OrganizationId,
    arrival_id,
    metadata,
    one_of,
)

automation_enrollments = Table(
    "automation_enrollments",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    Column("end_user_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    arrival_id(primary_key=False),
    Column("company_seat", Uuid),
    Column("created_at", INSTANT, nullable=False),
    Column("ended_at", INSTANT),
    Column("exit_reason", Text),
    # Guard 8: seen outside the audience since this run began; put outside by a change of the
    # definition.
    Column("left_audience", Boolean, nullable=False, server_default=text("false")),
    Column("outside_by_definition", Boolean, nullable=False, server_default=text("false")),
    # §7: whether the goal's filters held at the last look; a change to true is a conversion.
    Column("goal_held", Boolean, nullable=False, server_default=text("false")),
    Column("converted_at", INSTANT),
    # The version of the series in which this run began; unknown of runs that are older than that.
    Column("series_version", Integer),
    # §21: the properties of the event that began the run; NULL if none did, or it had none.
    Column("event_properties", JSONB(none_as_null=True)),
    # Guard 11: the address at entry, empty if there was none, unknown of runs that are older than
    # that; and whether the series takes one contact of each address.
    Column("address", Text),
    Column("holds_address", Boolean, nullable=False, server_default=text("false")),
    one_of("exit_reason", ExitReason),
    CheckConstraint("(ended_at IS NULL) = (exit_reason IS NULL)", name="ended_for_a_reason"),
    CheckConstraint("number >= 1", name="number_from_one"),
    ForeignKeyConstraint(["org_id", "automation_id"], ["automations.org_id", "automations.id"]),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    Index(
        "automation_enrollments_seat_key",
        "org_id",
        "company_seat",
        "automation_id",
        unique=True,
        postgresql_where=text("ended_at IS NULL AND company_seat IS NOT NULL"),
    ),
    Index(
        "automation_enrollments_address_idx",
        "org_id",
        "address",
        "automation_id",
        postgresql_where=text("holds_address"),
    ),
    # Who may enter again, once its delay is over (guards 7 and 8).
    Index(
        "automation_enrollments_outside_idx",
        "org_id",
        "automation_id",
        "created_at",
        postgresql_where=text("left_audience OR outside_by_definition"),
    ),
    # Without statistics the planner prefers the shortest index, so no other index here may lead to
    # more than a handful of rows.
    Index("automation_enrollments_contact_idx", "org_id", "end_user_id"),
    postgresql_with=QUEUE_STORAGE,
)

automation_recipients = Table(
    "automation_recipients",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    arrival_id(),
    Column("automation_id", Uuid, nullable=False),
    Column("step_id", Uuid, nullable=False),
    Column("end_user_id", Uuid, nullable=False),
    Column("enrollment_number", Integer, nullable=False),
    Column("status", Text, nullable=False, server_default=Status.PENDING),
    Column("reason", Text),
    Column("exit_reason", Text),
    Column("scheduled_for", INSTANT, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("finished_at", INSTANT),
    Column("lease_token", Uuid),
    Column("lease_expires_at", INSTANT),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    # Set aside for the error that handling it raised, as signals are. Meanwhile ``scheduled_for``
    # is ``retry_at``, or else NEVER, so that the index of due rows leaves it out; ``was_due`` keeps
    # what it was.
    Column("parked_at", INSTANT),
    Column("error", Text),
    Column("retry_at", INSTANT),
    Column("was_due", INSTANT),
    # When it was due before window, quiet hours, caps and tries moved it; NULL if nothing did.
    Column("first_due", INSTANT),
    Column("failed_at", INSTANT),
    Column("tries", SmallInteger, nullable=False, server_default=text("0")),
    # §21: of a gate that its event opened: when its delay would have decided.
    Column("latest_due", INSTANT),
    one_of("status", Status),
    one_of("exit_reason", ExitReason),
    CheckConstraint(
        "(status IN ('pending', 'processing')) = (finished_at IS NULL)",
        name="active_until_finished",
    ),
    CheckConstraint(
        "CASE WHEN status IN ('pending', 'processing') THEN exit_reason IS NULL AND reason IS NULL"
        " WHEN status = 'exited' THEN exit_reason IS NOT NULL"
        " WHEN status IN ('skipped', 'failed') THEN reason IS NOT NULL"
        " ELSE reason IS NULL END",
        name="says_why",
    ),
    CheckConstraint(
        "(status = 'processing') = (lease_token IS NOT NULL)"
        " AND (lease_token IS NULL) = (lease_expires_at IS NULL)",
        name="leased_while_processing",
    ),
    CheckConstraint(
        "(parked_at IS NULL) = (error IS NULL) AND (parked_at IS NULL) = (was_due IS NULL)",
        name="parked_for_an_error",
    ),
    CheckConstraint("retry_at IS NULL OR parked_at IS NOT NULL", name="retried_when_parked"),
    ForeignKeyConstraint(["org_id", "step_id"], ["automation_steps.org_id", "automation_steps.id"]),
    ForeignKeyConstraint(
        ["org_id", "automation_id", "end_user_id", "enrollment_number"],
        [
            "automation_enrollments.org_id",
            "automation_enrollments.automation_id",
            "automation_enrollments.end_user_id",
            "automation_enrollments.number",
        ],
        name="automation_recipients_enrollment_fkey",
        ondelete="CASCADE",
    ),
    # Contact before step: the same index finds a contact's rows in any series.
    Index(
        "automation_recipients_step_contact_key", "org_id", "end_user_id", "step_id", unique=True
    ),
    # All columns of the claim's ORDER BY; else every batch would sort the whole backlog.
    Index(
        "automation_recipients_due_idx",
        "org_id",
        "automation_id",
        "scheduled_for",
        "id",
        postgresql_where=text("status = 'pending'"),
    ),
    Index(
        "automation_recipients_leased_idx",
        "org_id",
        "automation_id",
        postgresql_where=text("status = 'processing'"),
    ),
    Index(
        "automation_recipients_parked_idx",
        "org_id",
        "id",
        postgresql_where=text("parked_at IS NOT NULL"),
    ),
    postgresql_with=QUEUE_STORAGE,
)

#: The due time of a row that waits for an operator: later than any clock, and still a date that
#: Python can read.
NEVER: Final = datetime(9000, 1, 1, tzinfo=UTC)

#: Counts of the rows that re-enrollment deleted, by outcome, for the funnel. They name no contact,
#: so nothing here is deleted when one is erased.
cleared_recipients = Table(
    "cleared_recipients",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    arrival_id(),
    Column("step_id", Uuid, nullable=False),
    Column("status", Text, nullable=False),
    # Of skipped rows only: the words of a mail server may name somebody.
    Column("reason", Text),
    Column("recipients", Integer, nullable=False),
    one_of("status", (Status.SKIPPED, Status.FAILED)),
    one_of("reason", SkipReason),
    CheckConstraint("(status = 'skipped') = (reason IS NOT NULL)", name="skipped_for_a_reason"),
    ForeignKeyConstraint(["org_id", "step_id"], ["automation_steps.org_id", "automation_steps.id"]),
)

#: Literals, since a bound status would hide the partial indexes from the planner. In statements
#: that name rows by id, bind the status: old statistics make those indexes look short.
IS_PENDING = automation_recipients.c.status == literal_column("'pending'")
IS_PROCESSING = automation_recipients.c.status == literal_column("'processing'")
ACTIVE: Final[Sequence[ColumnElement[str]]] = [
    literal_column("'pending'"),
    literal_column("'processing'"),
]
IS_ACTIVE = automation_recipients.c.status.in_(ACTIVE)
#: When a row is due, or was before it was parked.
DUE: Final = func.coalesce(automation_recipients.c.was_due, automation_recipients.c.scheduled_for)


#: When a row was due first.
FIRST_DUE: Final = func.coalesce(automation_recipients.c.first_due, DUE)


def is_run(
    runs: FromClause, org_id: UUID | ColumnElement[UUID], named: FromClause
) -> ColumnElement[bool]:
    """Return whether a row of ``runs`` is the enrollment that ``named`` names by its key."""
    return and_(
        runs.c.org_id == org_id,
        runs.c.automation_id == named.c.automation_id,
        runs.c.end_user_id == named.c.end_user_id,
        runs.c.number == named.c.number,
    )


def holds_seat(
    runs: FromClause,
    org_id: UUID,
    automation_id: ColumnElement[UUID],
    company_id: ColumnElement[UUID | None],
) -> ColumnElement[bool]:
    """Return whether a row of ``runs`` is the active run that has the company's seat in a series.

    The look-up must use the company's index: without statistics the planner finds the series'
    index as good, and would read all runs of the series.
    """
    return and_(
        runs.c.org_id == org_id,
        runs.c.company_seat == company_id,
        runs.c.ended_at.is_(None),
        # Written so that no index can be used for this condition.
        runs.c.automation_id.is_not_distinct_from(automation_id),
    )


enrollment_refusals = Table(
    "enrollment_refusals",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    Column("end_user_id", Uuid, primary_key=True),
    Column("code", Text, nullable=False),
    Column("refused_at", INSTANT, nullable=False),
    # An arrival number: within one instant it is compared with an enrollment's.
    Column("arrival", BigInteger, nullable=False),
    one_of("code", ReasonCode),
    ForeignKeyConstraint(["org_id", "automation_id"], ["automations.org_id", "automations.id"]),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
)
#: The columns that a new row is inserted with, in order; the others have defaults.
NEW_RECIPIENT = [
    automation_recipients.c[name]
    for name in (
        "org_id",
        "automation_id",
        "step_id",
        "end_user_id",
        "enrollment_number",
        "scheduled_for",
        "created_at",
    )
]
