"""How far each CSV import has come, so that one that was interrupted goes on (contract §2)."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Table, Text, text

from halo_engine.tables.metadata import INSTANT, OrganizationId, metadata

#: ``key``: SHA-256 of the file and of how its columns were mapped, in hex. ``rows_done`` counts the
#: rows that were handled, bad ones too.
csv_imports = Table(
    "csv_imports",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("rows_done", BigInteger, nullable=False, server_default=text("0")),
    Column("created", BigInteger, nullable=False, server_default=text("0")),
    Column("updated", BigInteger, nullable=False, server_default=text("0")),
    Column("started_at", INSTANT, nullable=False),
    Column("finished_at", INSTANT),
    CheckConstraint("key ~ '^[0-9a-f]{64}$'", name="key_whole"),
    CheckConstraint("created + updated <= rows_done", name="each_row_once"),
)
