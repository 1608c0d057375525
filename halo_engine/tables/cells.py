"""The directory of an installation with several database servers: which organisation lives where.

It is one database of the installation; in all others these tables are empty.
"""

from sqlalchemy import (
    BigInteger,
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

from halo_engine.sql.metadata import INSTANT, metadata, one_of

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
