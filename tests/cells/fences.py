"""What an organisation's old cell does after a move: it refuses each of its writes."""

from uuid import UUID

from sqlalchemy import Engine, text

from halo_engine.tables import metadata


def fence(database: Engine, org_id: UUID, cell: str) -> None:
    """Refuse every write of the organisation's rows, as one that lives in ``cell`` now."""
    name = f"fence_{org_id.hex}"
    with database.begin() as connection:
        connection.execute(
            text(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF coalesce(NEW.org_id, OLD.org_id) = '{org_id}' THEN "
                f"RAISE 'moved' USING ERRCODE = 'HM001', DETAIL = '{cell}'; END IF; "
                "RETURN coalesce(NEW, OLD); END $$"
            )
        )
        for table in metadata.sorted_tables:
            if "org_id" in table.c:
                connection.execute(
                    text(
                        f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE OR DELETE ON {table.name} "
                        f"FOR EACH ROW EXECUTE FUNCTION {name}()"
                    )
                )
