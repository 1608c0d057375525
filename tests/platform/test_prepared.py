"""Statements that are run by the driver itself, on a real server."""

import pytest
from sqlalchemy import Engine, Integer, Text, bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, OperationalError

from halo_engine.database import sqlstate
from halo_engine.prepared import Prepared

GIVEN = bindparam("given", type_=JSONB())
TWICE = Prepared(
    select(
        (cast(GIVEN["n"].astext, Integer) * literal(2)).label("twice"),
        GIVEN.label("given"),
        bindparam("word", type_=Text()).label("word"),
    )
)
HALF = Prepared(select((literal(1) / bindparam("by", type_=Integer())).label("half")))


def test_rows_come_by_name_and_values_are_written_by_type(database: Engine) -> None:
    """Values of the statement's own and given ones arrive, JSON as JSON; again and again."""
    with database.connect() as connection:
        for n in range(12):
            values = {"given": {"n": n}, "word": None}
            assert TWICE.rows(connection, values) == [
                {"twice": 2 * n, "given": {"n": n}, "word": None}
            ]


def test_a_value_that_is_missing_is_no_null(database: Engine) -> None:
    """A parameter without a value of its own must be given."""
    with database.connect() as connection, pytest.raises(KeyError, match="word"):
        TWICE.rows(connection, {"given": {"n": 1}})


def test_it_begins_a_transaction(database: Engine) -> None:
    """What is executed first on a connection belongs to a transaction that can be committed."""
    made = Prepared(select(func.set_config("halo.test", "x", True).label("made")))
    asked = select(func.current_setting("halo.test", True))
    with database.connect() as connection:
        made.rows(connection, {})
        assert connection.in_transaction()
        assert connection.scalar(asked) == "x"
        connection.commit()
        assert connection.scalar(asked) == ""


def test_errors_are_those_of_any_statement(database: Engine) -> None:
    """A refused statement raises SQLAlchemy's error, with PostgreSQL's code."""
    with database.connect() as connection, pytest.raises(DBAPIError) as raised:
        HALF.rows(connection, {"by": 0})
    assert sqlstate(raised.value) == "22012"


def test_a_lost_connection_is_given_up(database: Engine) -> None:
    """A connection that the server closes under it says so, and the next one is another."""
    ended = Prepared(select(func.pg_terminate_backend(func.pg_backend_pid()).label("ended")))
    with database.connect() as connection, pytest.raises(OperationalError) as raised:
        ended.rows(connection, {})
    assert raised.value.connection_invalidated
    with database.connect() as connection:
        assert HALF.rows(connection, {"by": 1}) == [{"half": 1}]
