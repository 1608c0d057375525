"""What an organisation's old cell does after a move: it refuses each of its writes."""

from uuid import UUID

from sqlalchemy import Engine, text

from halo_engine.tables import metadata


def fence(database: Engine, org_id: UUID, cell: str) -> None:
    """Refuse every write of the organisation's rows, as one that lives in ``cell`` now.

    A transaction for each table: one that locks them all would wait for those that work, in a ring.
    """
    name = f"fence_{org_id.hex}"
    refusing = (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF coalesce(NEW.org_id, OLD.org_id) = '{org_id}' THEN "
        f"RAISE 'moved' USING ERRCODE = 'HM001', DETAIL = '{cell}'; END IF; "
        "RETURN coalesce(NEW, OLD); END $$"
    )
    fenced = (
        f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE OR DELETE ON {table.name} "
        f"FOR EACH ROW EXECUTE FUNCTION {name}()"
        for table in metadata.sorted_tables
        if "org_id" in table.c
    )
    for statement in (refusing, *fenced):
        with database.begin() as connection:
            connection.execute(text(statement))
