"""The send log: each intent to send a mail, its outcome, and what the reader did (contract §9).

What was deleted for its age leaves its reader and its counts (contract §24).
"""

from typing import Any, Final

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
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
    select,
    text,
    union_all,
)

from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.sql.metadata import (
    INSTANT,
    QUEUE_STORAGE,
    OrganizationId,
    arrival_id,
    metadata,
    one_of,
)

#: ``intended``: committed, outcome not known yet; ``unknown``: it never will be.
MESSAGE_STATES = ("intended", "sent", "failed", "unknown")

#: No foreign key to ``automation_recipients``: the log outlives a recipient row that re-enrollment
#: deletes.
messages = Table(
    "messages",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("recipient_id", BigInteger, primary_key=True, autoincrement=False),
    Column("end_user_id", Uuid, nullable=False),
    Column("automation_id", Uuid, nullable=False),
    Column("enrollment_number", Integer, nullable=False),
    Column("step_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    # The id in the answer of a relay that replaces our Message-ID by its own.
    Column("relay_id", Text),
    Column("to_address", Text, nullable=False),
    Column("intended_at", INSTANT, nullable=False),
    Column("sent_at", INSTANT),
    Column("error", Text),
    # Whether it counts for caps; of mail from before that was kept its series says it (§20).
    Column("marketing", Boolean),
    Column("opened_at", INSTANT),
    Column("clicked_at", INSTANT),
    # The first time that a machine did: it says nothing about the reader (§16).
    Column("machine_opened_at", INSTANT),
    Column("machine_clicked_at", INSTANT),
    # The latest reply; its arrival number orders it with enrollments within one instant.
    Column("replied_at", INSTANT),
    Column("reply_arrival", BigInteger),
    one_of("state", MESSAGE_STATES),
    CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_at_an_instant"),
    CheckConstraint("(replied_at IS NULL) = (reply_arrival IS NULL)", name="reply_is_whole"),
    CheckConstraint("state <> 'failed' OR error IS NOT NULL", name="failed_for_an_error"),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    ForeignKeyConstraint(["org_id", "step_id"], ["automation_steps.org_id", "automation_steps.id"]),
    Index("messages_message_id_key", "org_id", "message_id", unique=True),
    Index(
        "messages_relay_id_idx",
        "org_id",
        "relay_id",
        postgresql_where=text("relay_id IS NOT NULL"),
    ),
    Index(
        "messages_intended_idx",
        "org_id",
        "recipient_id",
        postgresql_where=text("state = 'intended'"),
    ),
    Index(
        "messages_enrollment_idx",
        "org_id",
        "end_user_id",
        "automation_id",
        "enrollment_number",
        "recipient_id",
    ),
)

#: Mails whose rows were deleted for their age: whose each was, and at which address. Its links to
#: unsubscribe work for good, and an erasure finds the address (contract §24).
former_mails = Table(
    "former_mails",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("recipient_id", BigInteger, primary_key=True, autoincrement=False),
    Column("end_user_id", Uuid, nullable=False),
    Column("to_address", Text, nullable=False),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    Index("former_mails_contact_idx", "org_id", "end_user_id"),
)

#: What is counted of a step's mails.
MAIL_COUNTS: Final = (
    *("unknown", "sent", "opened", "clicked", "replied"),
    *("machine_opened", "machine_clicked"),
)

#: How many mails of a step were deleted for their age, by what became of them.
cleared_mails = Table(
    "cleared_mails",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    Column("step_id", Uuid, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in MAIL_COUNTS),
    ForeignKeyConstraint(["org_id", "step_id"], ["automation_steps.org_id", "automation_steps.id"]),
)

#: Whose each mail is, and at which address: also those whose rows were deleted for their age.
mail_readers = union_all(
    *(
        select(*(table.c[name] for name in ("org_id", "recipient_id", "end_user_id", "to_address")))
        for table in (messages, former_mails)
    )
).subquery("mail_readers")

#: Links of mails that were followed in the last moments. Once all that were followed beside it are
#: here, it is known whether a link was followed by a scanner (§16). ``link`` is a hash, ``machine``
#: what the request said of itself; ``is_click`` is false for a link to unsubscribe.
followed_links = Table(
    "followed_links",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    arrival_id(),
    Column("recipient_id", BigInteger, nullable=False),
    Column("link", LargeBinary, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("noted_at", INSTANT, nullable=False),
    Column("machine", Boolean, nullable=False),
    Column("is_click", Boolean, nullable=False),
    Column("judged", Boolean, nullable=False, server_default=text("false")),
    ForeignKeyConstraint(
        ["org_id", "recipient_id"],
        ["messages.org_id", "messages.recipient_id"],
        ondelete="CASCADE",
    ),
    Index("followed_links_mail_idx", "org_id", "recipient_id", "at"),
    Index(
        "followed_links_waiting_idx",
        "org_id",
        "noted_at",
        postgresql_where=text("NOT judged"),
    ),
    Index(
        "followed_links_judged_idx",
        "org_id",
        "noted_at",
        postgresql_where=text("judged"),
    ),
    postgresql_with=QUEUE_STORAGE,
)

#: Why mails bounced: a row for each report, and for each recipient that the mail server refused.
#: ``forgiven_at`` is when an operator lifted the suppression; it no longer counts (contract §2).
bounce_reports = Table(
    "bounce_reports",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    arrival_id(),
    Column("recipient_id", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("for_good", Boolean, nullable=False),
    Column("reported_at", INSTANT, nullable=False),
    Column("forgiven_at", INSTANT),
    one_of("reason", BounceReason),
    ForeignKeyConstraint(
        ["org_id", "recipient_id"],
        ["messages.org_id", "messages.recipient_id"],
        ondelete="CASCADE",
    ),
    Index("bounce_reports_mail_idx", "org_id", "recipient_id"),
    Index("bounce_reports_recent_idx", "org_id", "reported_at"),
)

#: Mails that went out before the database was restored, and whose rows it does not know: when their
#: runs come to these steps again, the mails are not sent again (decision 75). Else it is empty.
sent_before = Table(
    "sent_before",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("end_user_id", Uuid, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    Column("enrollment_number", Integer, primary_key=True, autoincrement=False),
    Column("step_id", Uuid, primary_key=True),
    Column("sent_at", INSTANT, nullable=False),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    ForeignKeyConstraint(["org_id", "step_id"], ["automation_steps.org_id", "automation_steps.id"]),
)


def counts_of_mails(mails: FromClause) -> list[ColumnElement[Any]]:
    """Return each of ``MAIL_COUNTS`` of rows with the columns of ``messages``."""
    counts = {
        "unknown": func.count().filter(mails.c.state == "unknown"),
        **{name: func.count(mails.c[f"{name}_at"]) for name in MAIL_COUNTS[1:]},
    }
    return [counts[name].label(name) for name in MAIL_COUNTS]
