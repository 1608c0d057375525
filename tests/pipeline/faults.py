"""Faults that a test makes: the database itself refuses what is written for somebody."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from sqlalchemy import Engine, text

_numbers = count(1)


@contextmanager
def refusing(database: Engine, table: str, condition: str, when: str = "INSERT") -> Iterator[None]:
    """For a while, let whatever writes a row into ``table`` fail for which ``condition`` holds, an
    expression over ``NEW``.
    """
    name = f"refuses_{next(_numbers)}"
    with database.begin() as connection:
        connection.execute(
            text(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF {condition} THEN RAISE EXCEPTION 'no %', TG_TABLE_NAME; END IF; "
                "RETURN NEW; END $$"
            )
        )
        connection.execute(
            text(
                f"CREATE TRIGGER {name} BEFORE {when} ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION {name}()"
            )
        )
    try:
        yield
    finally:
        with database.begin() as connection:
            connection.execute(text(f"DROP FUNCTION {name}() CASCADE"))
