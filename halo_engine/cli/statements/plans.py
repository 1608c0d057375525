"""How PostgreSQL would run a statement: EXPLAIN, without executing it."""

from collections.abc import Mapping
from typing import Any

import psycopg
from sqlalchemy import Connection

from halo_engine.cli.statements.shown import Shown, quoted
from halo_engine.domain.errors import bad_input
from halo_engine.domain.errors import shown as as_shown


def plan(connection: Connection, statement: Shown, given: Mapping[str, str]) -> list[str]:
    """Return the lines of the plan; nothing is executed.

    ``given`` are values of parameters, as text. If some are missing, the plan is the generic one,
    which PostgreSQL would use for any values. Raises 400 for a statement without a plan, and for a
    parameter that it does not have.
    """
    if not statement.has_plan:
        raise bad_input("name", f"{as_shown(statement.name)} is a command, which has no plan")
    missing = [name for name in statement.parameters if name not in given]
    for name in given:
        if name not in statement.parameters:
            allowed = ", ".join(statement.parameters) or "none"
            raise bad_input("param", f"{as_shown(name)} is no parameter; allowed are {allowed}")
    numbers = {name: f"${number}" for number, name in enumerate(missing, 1)}
    text = statement.with_values(lambda name: numbers.get(name) or quoted(given[name]))
    mode = "force_generic_plan" if missing else "force_custom_plan"
    values = f"({', '.join('NULL' for _ in missing)})" if missing else ""
    driver: Any = connection.connection.driver_connection
    try:
        driver.execute(f"SET LOCAL plan_cache_mode = {mode}")
        driver.execute(f"PREPARE halo_plan AS {text}")
        lines = driver.execute(f"EXPLAIN EXECUTE halo_plan{values}").fetchall()
        driver.execute("DEALLOCATE halo_plan")
    except psycopg.DataError as error:
        raise bad_input("param", str(error).partition("\n")[0]) from None
    finally:
        driver.rollback()
    return [line for (line,) in lines]
