"""What is said of an organisation that has left one cell and has not come in the other."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import text

from halo_engine.cells.asking import NoAnswer
from halo_engine.cells.engine import CellEngine, Cells, each_rings, of_all
from halo_engine.cells.finding import Finder
from halo_engine.cells.known import KnownDirectory
from halo_engine.contacts.identifying.identify import IDENTIFY_SET, IdentifyCall
from halo_engine.database import MovedAway, create_engine
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.engine import Engine
from halo_engine.sets import SetCall
from halo_engine.work import OrgRef
from tests.cells.conftest import Two, url_of
from workers.web.app import _failed
from workers.web.links.notes import LinkNotes


def _engine(directory: Database) -> CellEngine:
    known = KnownDirectory.at(url_of(directory))
    known.read()
    post: Any = None
    return of_all(
        Cells(
            Finder(known),
            lambda cell: Engine(
                create_engine(cell.url), post, ring=each_rings, interruptions=(MovedAway,)
            ),
        )
    )


def _is_on_its_way(a: Database, b: Database, org_id: UUID) -> None:
    """Leave an organisation as a mover does that dies in the middle of the switch."""
    row = text(
        "INSERT INTO moves (org_id, org_key, cell, state, started_at, switched_at)"
        " VALUES (:id, 'acme', :cell, :state, now(), :at)"
    )
    with a.begin() as connection:
        at = connection.scalar(text("SELECT now()"))
        connection.execute(row, {"id": org_id, "cell": "b", "state": "moved", "at": at})
        # Its other rows are left.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("DELETE FROM organizations"))
    with b.begin() as connection:
        connection.execute(row, {"id": org_id, "cell": "a", "state": "arriving", "at": None})


def test_each_of_two_cells_names_the_other(two: Two) -> None:
    """Then no answer is given, as while a cell is away: the caller is to try again."""
    halo, a, b = two
    org_id = UUID(halo.json("org", "create", "acme", "--cell", "a")["id"])
    _is_on_its_way(a, b, org_id)
    engine, acme = _engine(a), OrgRef(id=org_id)
    with pytest.raises(NoAnswer, match="the organisation is on its way there"):
        engine.perform(acme, lambda _work: None)
    calls = [SetCall(IDENTIFY_SET, IdentifyCall(user_id=name)) for name in ("ann", "bob")]
    outcomes = engine.perform_set(acme, calls)
    assert [type(each) for each in outcomes] == [NoAnswer, NoAnswer]
    engine.cells.close()


@pytest.mark.parametrize("error", [NoAnswer({"b": "away"}), MovedAway("b")])
def test_the_web_asks_to_try_again(error: Exception) -> None:
    """It is a 503, and no fault of ours."""
    answer = _failed(error)
    assert answer.status == 503
    assert b"cell_away" in answer.body
    assert (b"retry-after", b"1") in answer.headers


def test_opens_and_clicks_wait() -> None:
    """What was followed is noted as soon as the organisation is there."""
    tries = 0

    def perform(_org: OrgRef, _action: object) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise NoAnswer({"b": "away"})

    engine: Any = SimpleNamespace(perform=perform)
    notes = LinkNotes(engine)
    notes.add(MailToken(Purpose.OPEN, uuid4(), 1))
    for _ in range(3):
        # Closing notes what waits.
        notes.close()
    assert tries == 3
