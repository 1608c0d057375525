"""The installation: its state, one row, made when there is something to store (§9); its cells;
organisations that move from one cell to another (decision 71).

The cells are the directory of an installation with several database servers. It is one database of
the installation; in all others ``cells`` and ``cell_organizations`` are empty.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.sql.metadata import INSTANT, OrganizationId, arrival_id, metadata, one_of

#: ``ticked_at``: when the last tick came, from any beat; ``ticks``: how many came.
#: ``mail_down_since``: since when the workers last found the mail server down, and in what words.
installation = Table(
    "installation",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("ticked_at", INSTANT),
    Column("ticks", BigInteger, nullable=False, server_default=text("0")),
    Column("sending_stopped_at", INSTANT),
    Column("sending_stopped_by", Text),
    # When an operator last ordered to stop or start mail.
    Column("sending_ordered_at", INSTANT),
    Column("mail_down_since", INSTANT),
    Column("mail_down_reason", Text),
    CheckConstraint("singleton", name="one_row"),
    CheckConstraint(
        "(sending_stopped_at IS NULL) = (sending_stopped_by IS NULL)", name="stopped_by_somebody"
    ),
    CheckConstraint(
        "(mail_down_since IS NULL) = (mail_down_reason IS NULL)", name="down_for_a_reason"
    ),
)

#: ``identity`` tells the database from all others, whatever its URL. ``most_organizations`` is the
#: most that are made there.
cells = Table(
    "cells",
    metadata,
    Column("name", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("identity", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False, server_default="open"),
    Column("most_organizations", Integer),
    Column("added_at", INSTANT, nullable=False, server_default=text("now()")),
    one_of("state", ("open", "draining")),
    CheckConstraint("most_organizations > 0", name="takes_some"),
)

#: Without an ``id`` the key is reserved, and the organisation is being made in its cell. ``change``
#: is new with every change of the row: who read up to one reads on from there.
cell_organizations = Table(
    "cell_organizations",
    metadata,
    Column("key", Text, primary_key=True),
    Column("cell", Text, ForeignKey("cells.name"), nullable=False),
    Column("id", Uuid, unique=True),
    Column("widget_key", Text, unique=True),
    # The widget key before this one, which works until it is revoked.
    Column("old_widget_key", Text, unique=True),
    Column(
        "change",
        BigInteger,
        nullable=False,
        server_default=text("nextval('arrivals'::regclass)"),
    ),
    CheckConstraint("(id IS NULL) = (widget_key IS NULL)", name="made_or_reserved"),
    Index(None, "cell"),
    Index(None, "change"),
)

#: ``leaving``: its rows are copied from here; ``cancelled``: the copy is being taken back;
#: ``moved``: it lives in ``cell`` now; ``arriving``: it comes from ``cell``.
MOVE_STATES = ("leaving", "cancelled", "moved", "arriving")

#: One row for each organisation that leaves, left or arrives. No foreign key: a row that says where
#: an organisation went outlives it. ``copied`` are the tables that have arrived whole;
#: ``organization`` is the organisation's own row between its two databases.
moves = Table(
    "moves",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("org_key", Text, nullable=False),
    Column("cell", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("copied", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    # The widget keys by which calls still come here.
    Column("widget_key", Text),
    Column("old_widget_key", Text),
    Column("organization", JSONB(none_as_null=True)),
    Column("started_at", INSTANT, nullable=False),
    Column("switched_at", INSTANT),
    Column("finished_at", INSTANT),
    one_of("state", MOVE_STATES),
    CheckConstraint("(state = 'moved') = (switched_at IS NOT NULL)", name="switched_once"),
    CheckConstraint("finished_at IS NULL OR state = 'moved'", name="finished_when_moved"),
)

#: Rows of a leaving organisation that were written since its copy began: ``key`` is the primary
#: key of a row of ``table_name``.
moved_rows = Table(
    "moved_rows",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    arrival_id(),
    Column("table_name", Text, nullable=False),
    Column("key", JSONB, nullable=False),
)
