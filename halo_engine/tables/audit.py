"""The audit log: what operators did, through which door, and what it changed."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.tables.metadata import INSTANT, OrganizationId, arrival_id, metadata

#: Rows are never changed. ``action`` is the task's name without ``halo.``; ``target`` names a
#: contact by its id alone, so that nothing here is about a person once they are erased.
audit_log = Table(
    "audit_log",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    arrival_id(),
    Column("at", INSTANT, nullable=False),
    Column("by", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text),
    Column("before", JSONB),
    Column("after", JSONB),
    Index("audit_log_at_idx", "org_id", "at"),
)
