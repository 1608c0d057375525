"""Signals: durable notes that something happened which series may react to (contract §1, §2).

Written in the transaction of the change itself, handled in order of ``id``, deleted by whoever
handled them in the same transaction. A *wide* signal concerns a series' audience, a company or
everybody, and is worked in pages; ``cursor`` is where it stands.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from halo_engine.domain.series.signals import SignalKind
from halo_engine.sql.metadata import (
    INSTANT,
    QUEUE_STORAGE,
    OrganizationId,
    arrival_id,
    metadata,
    one_of,
)

signals = Table(
    "signals",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    arrival_id(),
    Column("kind", Text, nullable=False),
    # No foreign key: it would cost every change of a contact, and a signal about an erased contact
    # does nothing.
    Column("end_user_id", Uuid),
    Column("company_id", Uuid),
    Column("automation_id", Uuid),
    # The keys of the fields that changed; none for a created contact: everything is new.
    Column("changed", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("event_name", Text),
    # Unknown where code wrote the signal that does not know the column.
    Column("event_id", BigInteger),
    Column("happened_at", INSTANT, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("cursor", JSONB(none_as_null=True)),
    # How often to halve the batch or page that begins here, since it was too large for one
    # transaction.
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    # Set aside for the error it raised: until ``retry_at``, or else until an operator acts.
    Column("parked_at", INSTANT),
    Column("error", Text),
    Column("retry_at", INSTANT),
    # When it failed first, and how often it failed where others did not.
    Column("failed_at", INSTANT),
    Column("tries", SmallInteger, nullable=False, server_default=text("0")),
    one_of("kind", SignalKind),
    CheckConstraint(
        "CASE kind WHEN 'company_changed' THEN company_id IS NOT NULL"
        " WHEN 'activated' THEN automation_id IS NOT NULL"
        " WHEN 'reevaluated' THEN true"
        " ELSE end_user_id IS NOT NULL END",
        name="concerns_something",
    ),
    CheckConstraint("(kind = 'event') = (event_name IS NOT NULL)", name="event_named"),
    CheckConstraint("(parked_at IS NULL) = (error IS NULL)", name="parked_for_an_error"),
    CheckConstraint("retry_at IS NULL OR parked_at IS NOT NULL", name="retried_when_parked"),
    ForeignKeyConstraint(
        ["org_id", "company_id"], ["companies.org_id", "companies.id"], ondelete="CASCADE"
    ),
    ForeignKeyConstraint(["org_id", "automation_id"], ["automations.org_id", "automations.id"]),
    Index("signals_waiting_idx", "org_id", "id", postgresql_where=text("parked_at IS NULL")),
    Index("signals_parked_idx", "org_id", "id", postgresql_where=text("parked_at IS NOT NULL")),
    postgresql_with=QUEUE_STORAGE,
)

#: Contacts whom the audience did not hold when their trigger fired, and who wait for data (§23);
#: for how long, the series says. ``arrival`` is the trigger's, compared as a kept refusal's.
waiting_entries = Table(
    "waiting_entries",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    Column("end_user_id", Uuid, primary_key=True),
    Column("fired_at", INSTANT, nullable=False),
    # The event that triggers, whose properties the run keeps (§21).
    Column("event_id", BigInteger),
    Column("arrival", BigInteger, nullable=False),
    ForeignKeyConstraint(["org_id", "automation_id"], ["automations.org_id", "automations.id"]),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    Index("waiting_entries_contact_idx", "org_id", "end_user_id"),
)

#: What the next pass has to look at beside what time alone changes (contract §4): written by the
#: transaction that changes something, deleted by the pass that looked at it.
pass_notes = Table(
    "pass_notes",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    arrival_id(),
    # No foreign keys, as signals have none: a note about an erased contact does nothing.
    Column("end_user_id", Uuid),
    # All contacts of the company.
    Column("company_id", Uuid),
    # All contacts, for the series.
    Column("automation_id", Uuid),
    # Beside the contact, all that have its address, or one that a run of it holds (guard 11).
    Column("namesakes", Boolean, nullable=False, server_default=text("false")),
    # Time passed since this instant, when the pass before began.
    Column("since", INSTANT),
    # The signal of the pass that looks at it; NULL before one has taken it.
    Column("taken_by", BigInteger),
    CheckConstraint(
        "num_nonnulls(end_user_id, company_id, automation_id, since) > 0", name="says_what"
    ),
    Index("pass_notes_contact_idx", "org_id", "taken_by", "end_user_id"),
    postgresql_with={"autovacuum_vacuum_scale_factor": 0.01},
)
