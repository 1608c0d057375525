"""The metadata of all tables, and the column types that they share.

Two kinds of id. An *entity* (contact, company, series, step, list) has a time-ordered UUID.
Whatever *happened* (a signal, an event, an enrollment, a recipient row) has a number from one
sequence, ``arrivals``, so that comparing two numbers says which came first within one instant
(contract §1). See ``docs/decisions/0003-ids.md``.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    BindParameter,
    CheckConstraint,
    Column,
    ColumnElement,
    DateTime,
    MetaData,
    Sequence,
    TypeDecorator,
    Uuid,
    select,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s",
    }
)

arrivals = Sequence("arrivals", metadata=metadata, data_type=BigInteger())

INSTANT = DateTime(timezone=True)

#: Storage parameters of tables whose rows change state often: HOT updates, early vacuum.
QUEUE_STORAGE = {"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.01}


class OrganizationId(TypeDecorator[UUID]):
    """An organisation's id, whose value the planner does not see: ``(SELECT $1)`` for ``$1``.

    For an organisation that is younger than the statistics the planner would expect one row, and
    find any index that begins with the organisation as good as the right one (decision 28).
    """

    impl = Uuid
    cache_ok = True

    def bind_expression(self, bindparam: BindParameter[UUID]) -> ColumnElement[UUID]:
        """Return the value as a subquery."""
        return select(bindparam).scalar_subquery()


def entity_id() -> Column[object]:
    """Return the ``id`` column of an entity: a time-ordered UUID that the database makes."""
    return Column("id", Uuid, primary_key=True, server_default=text("uuid7()"))


def arrival_id(*, primary_key: bool = True) -> Column[int]:
    """Return the ``id`` column of something that happened: the next number of ``arrivals``."""
    return Column(
        "id",
        BigInteger,
        primary_key=primary_key,
        autoincrement=False,
        nullable=False,
        server_default=text("nextval('arrivals'::regclass)"),
    )


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """Return the CHECK that keeps an enumerated text ``column`` within ``values``."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")
