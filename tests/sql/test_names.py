"""Every statement is sent with its name."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, insert, select, text

from halo_engine.contacts.finding import find_contacts
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.domain.errors import Refusal
from halo_engine.journey.claim import hold_runs
from halo_engine.organizations.storing import all_organizations
from halo_engine.sql.statements import DECLARED, marked, named, statement, unmarked
from halo_engine.tables import signals
from tests.pipeline.sandbox import Sandbox, counted_statements, new_sandbox
from tests.sql.sent import name_in


@pytest.fixture
def acme(database: Engine) -> Sandbox:
    """An organisation on a database of the test's own."""
    return new_sandbox(database, "acme")


def _autocommit(database: Engine) -> Connection:
    return database.connect().execution_options(isolation_level="AUTOCOMMIT")


@pytest.mark.parametrize(
    ("sent", "with_name"),
    [
        ("SELECT 1", "SELECT /* halo:find */ 1"),
        ("WITH a AS (SELECT 1) SELECT", "WITH /* halo:find */ a AS (SELECT 1) SELECT"),
        ("\n  UPDATE t SET a = 1", "\n  UPDATE /* halo:find */ t SET a = 1"),
        ("ANALYZE (SKIP_LOCKED) t", "ANALYZE /* halo:find */ (SKIP_LOCKED) t"),
    ],
)
def test_the_name_follows_the_first_word(sent: str, with_name: str) -> None:
    """The name comes after the first word, so PostgreSQL 18 keeps it in pg_stat_statements."""
    assert marked(sent, "find") == with_name
    assert name_in(with_name) == "find"
    assert unmarked(with_name) == sent
    assert name_in(sent) is None


def test_a_name_is_given_once() -> None:
    """Two statements of one name are refused where the second is declared."""
    with pytest.raises(ValueError, match="two statements are called find_contacts"):
        statement("find_contacts")(lambda: select(signals))


def test_a_declaration_knows_where_it_stands() -> None:
    """`halo sql list` names the module that declares a statement, by either decorator."""
    named("only_of_this_test", text("SELECT 1"))
    declared = DECLARED.pop("only_of_this_test")
    assert declared.module == __name__
    assert DECLARED["find_contacts"].module == find_contacts.__module__


def test_the_server_sees_the_names(acme: Sandbox) -> None:
    """pg_stat_activity shows the name of a prepared statement, and of one that is built each
    time.
    """
    seen = text("SELECT query FROM pg_stat_activity WHERE pid = :pid")
    with acme.database.connect() as watched, _autocommit(acme.database) as watching:
        pid = watched.scalar(text("SELECT pg_backend_pid()"))

        def running() -> str | None:
            return name_in(watching.execute(seen, {"pid": pid}).scalar_one())

        all_organizations(watched)
        assert running() == "read_orgs"
        hold_runs(watched, acme.org_id, [])
        assert running() == "hold_runs"


def test_equal_statements_keep_their_own_names(acme: Sandbox) -> None:
    """SQLAlchemy compiles two statements of one shape once; each is sent with its own name."""
    first, second = (
        select(signals.c.id).execution_options(halo_name=name) for name in ("first", "second")
    )
    with counted_statements(acme.database) as sent, acme.database.connect() as connection:
        for each in (first, second, first):
            connection.execute(each)
    assert [name_in(each) for each in sent] == ["first", "second", "first"]


def test_many_rows_are_inserted_under_one_name(acme: Sandbox) -> None:
    """Batches that SQLAlchemy makes of many rows have the statement's name too."""
    now = {"happened_at": acme.now, "created_at": acme.now}
    of_contact = {"org_id": acme.org_id, "kind": "created", "end_user_id": uuid4()}
    values = [{**of_contact, **now} for _ in range(3)]
    inserted = insert(signals).returning(signals.c.id).execution_options(halo_name="many")
    with counted_statements(acme.database) as sent, acme.database.begin() as connection:
        assert len(connection.execute(inserted, values).all()) == 3
    assert {name_in(each) for each in sent} == {"many"}


def test_prepared_statements_stay_prepared(acme: Sandbox) -> None:
    """A statement with a name is still prepared on the server, once for each connection."""
    prepared = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE :like")
    with acme.database.connect() as connection:
        for _ in range(8):
            hold_runs(connection, acme.org_id, [])
        found = connection.scalar(prepared, {"like": "SELECT /* halo:hold_runs */%"})
    assert found == 1


def test_an_error_shows_the_name(acme: Sandbox) -> None:
    """A traceback shows the name of the statement that failed."""
    call = IdentifyCall(user_id="ann", traits={"email": "ann@a.example"})
    acme.perform(lambda work: identify(work, call))
    with acme.database.connect() as connection:
        connection.execute(text("SET statement_timeout = 1"))
        slow = select(text("pg_sleep(1)")).execution_options(halo_name="slow")
        with pytest.raises(Exception, match=r"\[SQL: SELECT /\* halo:slow \*/"):
            connection.execute(slow)


def test_a_flow_sends_named_statements_only(acme: Sandbox) -> None:
    """From identify to the tick, everything that is sent has the name of a declared statement."""
    acme.series("welcome")
    with counted_statements(acme.database) as sent:
        call = IdentifyCall(user_id="ann", traits={"email": "ann@a.example"})
        acme.perform(lambda work: identify(work, call))
        acme.settle()
        acme.tick(timedelta(hours=1))
        with pytest.raises(Refusal):
            acme.perform(lambda work: find_contacts(work, ["nobody"]))
    assert len(sent) > 20
    assert {each for each in sent if name_in(each) not in DECLARED} == set()


def test_what_has_no_name_is_noticed(
    acme: Sandbox, nameless_statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement without a declared name, sent by the product, fails a test."""
    monkeypatch.delitem(DECLARED, "hold_runs")
    with acme.database.connect() as connection:
        connection.execute(select(signals))
        assert nameless_statements == []
        hold_runs(connection, acme.org_id, [])
    [noticed] = nameless_statements
    nameless_statements.clear()
    assert "halo_engine/journey/claim.py:" in noticed
    assert "has no declared name: SELECT /* halo:hold_runs */" in noticed
