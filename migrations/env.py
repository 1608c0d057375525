"""Alembic's environment: connect with timeouts, and run one migration at a time."""

from typing import Any

from alembic import context
from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import NullPool, create_engine, text

from halo_engine.settings import load_settings
from halo_engine.tables import metadata

#: Others queue behind a migration that waits for a lock: so it fails soon, and is run again.
_LOCK_TIMEOUT = "5s"
_STATEMENT_TIMEOUT = "15min"
#: A number that no other code locks.
_ONE_AT_A_TIME = 7_250_019_340


class _Implementation(PostgresqlImpl):
    """Alembic's comparison of defaults asks the server whether two are equal; two calls of nextval
    never are.
    """

    __dialect__ = "postgresql"

    def compare_server_default(
        self,
        inspector_column: Any,
        metadata_column: Any,
        rendered_metadata_default: Any,
        rendered_inspector_default: Any,
    ) -> bool:
        """Compare calls of nextval as text."""
        if "nextval" in str(rendered_inspector_default):
            return bool(rendered_metadata_default != rendered_inspector_default)
        return super().compare_server_default(  # type: ignore[no-any-return, no-untyped-call]
            inspector_column,
            metadata_column,
            rendered_metadata_default,
            rendered_inspector_default,
        )


def _run() -> None:
    url = context.config.attributes.get("url") or load_settings().required_database_url()
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        # Before the timeouts: a second process may have to wait for a long migration.
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ONE_AT_A_TIME})
        connection.execute(
            text(
                "SELECT set_config('lock_timeout', :lock, false), "
                "set_config('statement_timeout', :statement, false)"
            ),
            {"lock": _LOCK_TIMEOUT, "statement": _STATEMENT_TIMEOUT},
        )
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=metadata,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


_run()
