"""Check on a new database that the migrations make exactly the tables that the code declares."""

from sqlalchemy import NullPool, create_engine

from halo_engine import migrate
from migrations.comparison import differences
from workers.stack.folders import throwaway_folder
from workers.stack.servers import running_servers


def main() -> None:
    """Migrate an embedded database from nothing and compare; exit 1 naming what differs."""
    with (
        throwaway_folder("check") as folder,
        running_servers(folder, broker_url="redis://", durable=False) as servers,
    ):
        migrate.upgrade(servers.database_url)
        with create_engine(servers.database_url, poolclass=NullPool).connect() as connection:
            found = differences(connection)
    if found:
        listed = "\n  ".join(found)
        raise SystemExit(f"the tables are not what the migrations make:\n  {listed}")


if __name__ == "__main__":
    main()
