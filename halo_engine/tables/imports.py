"""How far each CSV import has come, so that one that was interrupted goes on (contract §2)."""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.sql.metadata import INSTANT, OrganizationId, entity_id, metadata, one_of


class UploadState(StrEnum):
    """Where the import of an uploaded file stands."""

    UPLOADING = "uploading"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


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

#: Files that came over HTTP, and how far a worker has imported each. ``position``: where in the
#: text the rows begin that are left (a cookie of ``TextIOWrapper.tell``), after line ``line``.
csv_uploads = Table(
    "csv_uploads",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    entity_id(),
    Column("state", Text, nullable=False),
    # What its sender calls the file, for people.
    Column("file_name", Text),
    Column("options", JSONB, nullable=False),
    Column("bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes_read", BigInteger, nullable=False, server_default=text("0")),
    Column("position", Text),
    Column("line", BigInteger, nullable=False, server_default=text("0")),
    Column("rows_done", BigInteger, nullable=False, server_default=text("0")),
    Column("created", BigInteger, nullable=False, server_default=text("0")),
    Column("updated", BigInteger, nullable=False, server_default=text("0")),
    Column("bad", BigInteger, nullable=False, server_default=text("0")),
    Column("bad_cells", BigInteger, nullable=False, server_default=text("0")),
    Column("errors", JSONB, nullable=False, server_default=text("'[]'")),
    Column("cell_errors", JSONB, nullable=False, server_default=text("'[]'")),
    Column("warnings", JSONB, nullable=False, server_default=text("'[]'")),
    Column("refused", JSONB),
    Column("created_at", INSTANT, nullable=False),
    # When the file had come whole. Code before this column starts the import at once.
    Column("received_at", INSTANT),
    # When a chunk came or was imported last; an import that waits for long is sent to a worker
    # again.
    Column("touched_at", INSTANT, nullable=False),
    Column("finished_at", INSTANT),
    one_of("state", UploadState),
    CheckConstraint(
        "(state IN ('finished', 'failed')) = (finished_at IS NOT NULL)",
        name="finished_at_an_instant",
    ),
)

#: The file, in pieces of one size but for the last; deleted once it is imported.
csv_chunks = Table(
    "csv_chunks",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("upload_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    ForeignKeyConstraint(
        ["org_id", "upload_id"], ["csv_uploads.org_id", "csv_uploads.id"], ondelete="CASCADE"
    ),
)
