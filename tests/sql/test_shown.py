"""`halo sql` shows what is sent; `docs/sql` holds it, statement by statement."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from halo_engine.cli.statements.plans import plan
from halo_engine.cli.statements.shown import Shown, all_shown, literal, show
from halo_engine.domain.errors import Refusal
from halo_engine.sql.parameters import PARAMETERS
from workers.command import statements as _statements

DOCUMENTS = Path(__file__).parents[2] / "docs" / "sql"
#: Columns of sets, which are named after the set (``rows.rows_asked``).
_OF_A_SET = re.compile(
    r"(given|asked|bounds|candidates|caps|concerns|fired|losers|openings|outcome)_\w+"
)
#: Rows that are inserted as they are, by their columns; zones and their instants.
_OTHERS = ("keep_signals_for_later", "read_zone_offsets")

assert _statements.sql.name == "sql"


@pytest.fixture(scope="module")
def statements() -> list[Shown]:
    """All statements."""
    return all_shown()


def test_the_documents_are_what_is_sent(statements: list[Shown]) -> None:
    """`make sql` writes them anew; layout aside, each is equal to what is sent."""
    written = {path.stem: path.read_text(encoding="utf-8") for path in DOCUMENTS.glob("*.sql")}
    assert sorted(written) == [each.name for each in statements]
    for each in statements:
        _, _, body = written[each.name].partition(f"-- {each.declared_in}\n")
        sent = each.with_values(lambda name: f":{name}")
        assert "".join(re.sub(r"(?m)^--.*", "", body).split()) == "".join(f"{sent};".split()), (
            f"docs/sql/{each.name}.sql is not what is sent: run `make sql`"
        )


def test_one_thing_has_one_name(statements: list[Shown]) -> None:
    """All statements use the parameters of one vocabulary."""
    unknown = {
        (each.name, name)
        for each in statements
        for name in each.parameters
        if name not in PARAMETERS and not _OF_A_SET.fullmatch(name) and each.name not in _OTHERS
    }
    assert unknown == set()


def test_no_two_parameters_look_the_same() -> None:
    """In a shown statement each sample value stands for one parameter."""
    samples = [(type(each.sample), literal(each.sample)) for each in PARAMETERS.values()]
    assert len(set(samples)) == len(samples)


def test_every_statement_is_one_that_postgresql_plans(
    shared_database: Engine, statements: list[Shown]
) -> None:
    """PostgreSQL can plan each statement on the present tables, without any value."""
    commands = [each.name for each in statements if not each.has_plan]
    copies = [name for name in commands if name.startswith("copy_")]
    assert copies == [
        *("copy_noted_out", "copy_notes_in", "copy_notes_out", "copy_table_in", "copy_table_out"),
    ]
    others = [name for name in commands if name not in copies]
    schemas = ["create_schema", "drop_schema", "enter_schema"]
    months = ["bound_gathered_events", "drop_month", "keep_earlier_events", "keep_gathered_events"]
    tables = ["analyze_table", "create_trigger", "drop_trigger", "make_month"]
    assert others == sorted([*schemas, *months, *tables, "validate_gathered_events"])
    with shared_database.connect() as connection:
        for each in statements:
            if each.has_plan:
                assert plan(connection, each, {})


def test_a_plan_for_given_values(shared_database: Engine) -> None:
    """With every parameter given, the plan has the values; else it is for any."""
    statement = show("find_series_id")
    assert statement.parameters == ["org_id", "series_key"]
    given = {"org_id": "5a000000-0000-0000-0000-000000000001", "series_key": "it's"}
    with shared_database.connect() as connection:
        [*generic] = plan(connection, statement, {"org_id": given["org_id"]})
        [*for_values] = plan(connection, statement, given)
    assert "key = ($1)::text" in "\n".join(generic)
    assert "key = 'it''s'::text" in "\n".join(for_values)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("analyze_table", {}, "name: ‘analyze_table’ is a command, which has no plan"),
        (
            "find_series_id",
            {"x": "1"},
            "param: ‘x’ is no parameter; allowed are org_id, series_key",
        ),
        ("find_series_id", {"org_id": "1"}, 'param: invalid input syntax for type uuid: "1"'),
    ],
)
def test_what_cannot_be_planned(
    shared_database: Engine, name: str, given: dict[str, str], said: str
) -> None:
    """A refusal names what is wrong and what is allowed."""
    with shared_database.connect() as connection, pytest.raises(Refusal) as refused:
        plan(connection, show(name), given)
    assert refused.value.message == said


def test_an_unknown_statement_is_refused() -> None:
    """A name that nothing is called by is a 404."""
    with pytest.raises(Refusal, match="find_everything"):
        show("find_everything")
