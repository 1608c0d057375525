"""Counts of Stripe's objects that the engine passed over (contract §2)."""

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from halo_engine.domain.reasons import PassedOver
from halo_engine.sql.metadata import INSTANT, OrganizationId, metadata, one_of

stripe_passed_over = Table(
    "stripe_passed_over",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    Column("why", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("latest_at", INSTANT, nullable=False),
    one_of("why", PassedOver),
)
