"""What keeps an organisation from moving is said, and nothing of it is written anywhere."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert, text, update

from halo_engine.domain.errors import Refusal
from halo_engine.moving.move import move
from halo_engine.moving.places import one_mover, opened
from halo_engine.tables import OWNED, installation, metadata, organizations
from tests.moving.ground import Pair, contents, triggers
from tests.pipeline.sandbox import new_sandbox


def _refused(pair: Pair, act: Callable[[], object]) -> Refusal:
    before = contents(pair.a.database, pair.id)
    with pytest.raises(Refusal) as refused:
        act()
    assert contents(pair.a.database, pair.id) == before
    assert contents(pair.b.database, pair.id) == {}
    assert triggers(pair.a.database) == 0
    return refused.value


def test_an_unknown_organisation(pair: Pair) -> None:
    """It is a 404."""
    refusal = _refused(pair, lambda: move(pair.a, pair.b, "nobody", tell=print))
    assert (refusal.status, refusal.code) == (404, "unknown_organisation")


def test_a_move_to_where_it_is(pair: Pair) -> None:
    """Under another name too, before and after a move."""
    with opened("c", pair.a.database.url.render_as_string(hide_password=False)) as same:
        before = contents(pair.a.database, pair.id)
        with pytest.raises(Refusal) as refused:
            move(pair.a, same, "acme", tell=print)
        assert contents(pair.a.database, pair.id) == before
    assert str(refused.value) == "to: organisation 'acme' lives in cell c. Allowed is another."
    pair.move()
    with pytest.raises(Refusal) as refused:
        pair.move()
    assert str(refused.value) == "to: organisation 'acme' lives in cell b. Allowed is another."


def test_a_key_that_is_taken_there(pair: Pair) -> None:
    """Another organisation of that key lives in the new cell."""
    new_sandbox(pair.b.database, "acme")
    assert _refused(pair, pair.move).code == "organisation_exists"


def test_a_widget_key_that_is_taken_there(pair: Pair) -> None:
    """Calls could not tell the two apart."""
    new_sandbox(pair.b.database, "another")
    with pair.b.transaction() as connection:
        connection.execute(update(organizations).values(old_widget_key="acme"))
    assert _refused(pair, pair.move).code == "organisation_exists"


def test_another_schema(pair: Pair) -> None:
    """The refusal names the cell, what it has, and what is needed."""
    with pair.b.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0038'"))
    refusal = _refused(pair, pair.move)
    assert refusal.code == "schema_differs"
    assert "Cell b: its schema is at 0038, and this code moves organisations at" in str(refusal)


def test_an_account_that_may_not_copy_rows_as_they_are(
    pair: Pair, administrate: Callable[[str], None]
) -> None:
    """The refusal says what to grant."""
    url = pair.b.database.url
    role = f"mover_{url.database}"
    administrate(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
    with pair.b.transaction() as connection:
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"))
        connection.execute(text(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"))
    as_role = url.set(username=role, password="secret").render_as_string(hide_password=False)
    with opened("b", as_role) as place:
        refusal = _refused(pair, lambda: move(pair.a, place, "acme", tell=print))
    with pair.b.transaction() as connection:
        connection.execute(text(f"DROP OWNED BY {role}"))
    administrate(f"DROP ROLE {role}")
    assert refusal.code == "move_not_allowed"
    assert "GRANT SET ON PARAMETER session_replication_role" in str(refusal)


def test_out_of_a_cell_whose_mail_is_stopped(pair: Pair) -> None:
    """Its mail would go out in the other; where its own mail is stopped it may move."""
    stop = {"sending_stopped_at": pair.acme.now, "sending_stopped_by": "ann"}
    with pair.a.transaction() as connection:
        connection.execute(insert(installation).values(singleton=True, **stop))
    assert _refused(pair, pair.move).code == "all_mail_is_stopped"
    with pair.a.transaction() as connection:
        connection.execute(update(organizations).values(stop))
    pair.move()
    assert pair.there().perform(lambda work: work.org.sending_stopped)


def test_two_movers_at_once(pair: Pair) -> None:
    """The second is told."""
    with one_mover((pair.a, pair.b), pair.id, "acme"):
        assert _refused(pair, pair.move).code == "move_under_way"
        assert _refused(pair, pair.cancel).code == "move_under_way"
    pair.move()


def test_a_move_that_goes_elsewhere(
    pair: Pair, new_database: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is under way is finished or taken back before another begins."""
    monkeypatch.setattr("halo_engine.moving.move.copy", _fail)
    with pytest.raises(ConnectionError):
        pair.move()
    url = new_database().url.render_as_string(hide_password=False)
    with opened("c", url) as third, pytest.raises(Refusal) as refused:
        move(pair.a, third, "acme", tell=print)
    assert refused.value.code == "move_under_way"
    assert "is moved to cell b" in str(refused.value)
    pair.cancel()
    assert triggers(pair.a.database) == 0


def _fail(*_: object) -> None:
    raise ConnectionError


def test_a_move_to_be_taken_back_that_was_never_begun(pair: Pair) -> None:
    """And one that is over: both are told."""
    assert _refused(pair, pair.cancel).code == "no_move"
    pair.move()
    with pytest.raises(Refusal) as refused:
        pair.cancel()
    assert refused.value.code == "already_there"
    assert "halo org move acme --to a" in str(refused.value)


def test_every_table_is_of_an_organisation_or_known_not_to_be() -> None:
    """A table that is neither would stay behind."""
    others = {each.name for each in metadata.sorted_tables if each not in OWNED}
    assert others == {
        *("organizations", "installation", "cells", "cell_organizations"),
        *("moves", "moved_rows"),
    }
