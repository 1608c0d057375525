"""Whoever a surge holds is shown, released or discarded by doors (contract §19)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.events.track import TrackCall, track_all
from halo_engine.domain.errors import Refusal
from halo_engine.pipeline.agenda import organizations_with_work
from halo_engine.tables import automation_enrollments, end_users, held_entries, surge_entries
from tests.doors.conftest import Operator
from tests.pipeline.sandbox import Sandbox

SURGED: dict[str, Any] = {
    "entry_trigger": "event",
    "settings": {"entry_event_name": "in", "surge": {"at_most": 2, "within": "1h"}},
    "steps": [{"key": "a", "delay": "9d", "email": {"subject": "A", "body": "A"}}],
}
NAMES = ("ann", "bob", "cyd", "dan", "eve")


@pytest.fixture
def crowd(sandbox: Sandbox, operate: Operator) -> Sandbox:
    """Five contacts come at once to a series that takes two."""
    sandbox.contacts(NAMES)
    operate("series.save", series="s", definition=SURGED)
    operate("series.activate", series="s")
    come(sandbox, *NAMES)
    return sandbox


def come(sandbox: Sandbox, *names: str) -> None:
    """Let contacts come in one batch."""
    calls = [TrackCall(event="in", user_id=name) for name in names]
    sandbox.perform(lambda work: track_all(work, calls))
    sandbox.settle()


def held(sandbox: Sandbox) -> list[str]:
    """Return who is held, in order."""
    places = held_entries
    asked = (
        select(end_users.c.external_id)
        .join(places, (places.c.org_id == end_users.c.org_id) & _is_contact())
        .where(places.c.org_id == sandbox.org_id)
        .order_by(places.c.id)
    )
    return sandbox.perform(lambda work: list(work.connection.scalars(asked)))


def _is_contact() -> Any:
    return held_entries.c.end_user_id == end_users.c.id


def test_a_batch_is_cut_where_the_span_is_full(crowd: Sandbox) -> None:
    """The first two of five enter, and the others are held in the order in which they came."""
    assert held(crowd) == ["cyd", "dan", "eve"]
    assert crowd.count(automation_enrollments) == 2


@pytest.mark.usefixtures("crowd")
def test_whoever_is_held_needs_a_person(operate: Operator) -> None:
    """Status, ledger, funnel and explain name them."""
    status = operate("organizations.status")
    said = "series s holds contacts back: 3 (`halo series release s`, or with --discard)"
    assert said in status["needs"]
    assert status["surges"] == [
        {
            "series": "s",
            "contacts": 3,
            "since": "2026-06-01T12:00:00.000000+00:00",
            "releasing": None,
        }
    ]
    assert operate("series.ledger", series="s")["buckets"] == {"active": 2, "surge_held": 3}
    assert operate("series.funnel", series="s")["held"] == 3
    explained = operate("series.explain", series="s", contact="cyd")
    assert (explained["code"], explained["refused_at"]) == ("surge_held", None)
    assert explained["why"] == ("It is held since 2026-06-01 12:00 UTC: more came than 2 in 1h.")
    bucket = operate("series.bucket", series="s", code="surge_held")
    assert {each["external_id"] for each in bucket["contacts"]} == {"cyd", "dan", "eve"}


def test_a_release_says_what_came_of_them_and_is_audited(crowd: Sandbox, operate: Operator) -> None:
    """Who was held enters in order; who is erased meanwhile is gone; nobody counts."""
    call = EraseContactCall(contact="dan")
    crowd.perform(lambda work: erase_contact(work, call))
    crowd.now += timedelta(minutes=1)
    assert operate("series.release", series="s") == {
        "series": "s",
        "entered": 2,
        "refused": {},
        "discarded": 0,
        "left": 0,
    }
    assert held(crowd) == []
    [row] = [each for each in operate("audit.list")["items"] if each["action"] == "series.release"]
    said = {"discard": False, "entered": 2, "refused": {}, "discarded": 0, "left": 0}
    assert row["after"] == said
    counted = select(surge_entries.c.entries)
    assert crowd.perform(
        lambda work: list(
            work.connection.scalars(counted.where(surge_entries.c.org_id == work.org_id))
        )
    ) == [2]


def test_a_release_at_a_pace_goes_on_by_ticks(crowd: Sandbox, operate: Operator) -> None:
    """It says how many are left, needs nobody meanwhile, and is in the audit log once."""
    released = operate("series.release", series="s", per="1/1h")
    assert (released["entered"], released["left"]) == (1, 2)
    crowd.settle()
    assert held(crowd) == ["dan", "eve"]
    assert operate("series.show", series="s")["releasing"] == "1/1h"
    status = operate("organizations.status")
    assert not [each for each in status["needs"] if "series s" in each]
    assert [(each["contacts"], each["releasing"]) for each in status["surges"]] == [(2, "1/1h")]
    with crowd.database.connect() as connection:
        assert crowd.org_id in organizations_with_work(connection)
    explained = operate("series.explain", series="s", contact="dan")
    assert explained["code"] == "surge_held"
    crowd.tick(timedelta(hours=1))
    assert held(crowd) == ["eve"]
    crowd.tick(timedelta(minutes=59))
    assert held(crowd) == ["eve"]
    crowd.tick(timedelta(minutes=1))
    assert held(crowd) == []
    assert operate("series.show", series="s")["releasing"] is None
    [row] = [each for each in operate("audit.list")["items"] if each["action"] == "series.release"]
    assert row["after"]["per"] == {"at_most": 1, "within": "1h"}
    assert row["after"]["left"] == 2


@pytest.mark.parametrize("per", ["many", "0/1h", "5/5s", {"at_most": 5}, 7])
def test_what_is_no_pace_is_refused(crowd: Sandbox, operate: Operator, per: Any) -> None:
    """Nobody is released."""
    with pytest.raises(Refusal) as refused:
        operate("series.release", series="s", per=per)
    assert refused.value.status == 400
    assert len(held(crowd)) == 3


def test_a_discard_keeps_them_out(crowd: Sandbox, operate: Operator) -> None:
    """Explain says since when; the next trigger finds room again after the span."""
    assert operate("series.release", series="s", discard=True)["discarded"] == 3
    explained = operate("series.explain", series="s", contact="eve")
    assert (explained["code"], explained["refused_at"]) == (
        "surge_discarded",
        "2026-06-01T12:00:00.000000+00:00",
    )
    crowd.now += timedelta(hours=1)
    come(crowd, "eve")
    assert operate("series.explain", series="s", contact="eve")["code"] == "active"


def test_only_an_active_series_releases(crowd: Sandbox, operate: Operator) -> None:
    """A pause keeps them; a stop discards them."""
    operate("series.pause", series="s")
    with pytest.raises(Refusal) as refused:
        operate("series.release", series="s")
    assert (refused.value.status, refused.value.code) == (409, "not_active")
    assert len(held(crowd)) == 3
    operate("series.stop", series="s")
    assert held(crowd) == []


def test_ten_thousand_candidates_are_cut_by_one_statement(
    sandbox: Sandbox, operate: Operator
) -> None:
    """A pass that finds 10,000 lets in exactly as many as may, the others are held in order."""
    names = [f"c{n:05}" for n in range(10_000)]
    definition = {
        **SURGED,
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [{"field": "email", "operator": "contains", "value": "@"}],
        "settings": {"surge": {"at_most": 1234, "within": "1d"}},
    }
    operate("series.save", series="s", definition=definition)
    operate("series.activate", series="s")
    sandbox.settle()
    for first in range(0, len(names), 5_000):
        sandbox.contacts(names[first : first + 5_000])
    sandbox.tick(timedelta(minutes=15))
    assert sandbox.count(automation_enrollments) == 1234
    assert len(held(sandbox)) == len(names) - 1234


def test_auto_is_worked_out_and_shown(sandbox: Sandbox, operate: Operator) -> None:
    """A draft has no number yet; the activation is foreseen with it; what is kept is shown."""
    sandbox.contacts(["ann"])
    for _ in range(40):
        sandbox.perform(lambda work: track_all(work, [TrackCall(event="in", user_id="ann")]))
    sandbox.settle()
    surge = {"at_most": "auto", "within": "1h"}
    definition = {**SURGED, "settings": {"entry_event_name": "in", "surge": surge}}
    operate("series.save", series="s", definition=definition)
    assert operate("series.show", series="s")["surge_at_most"] is None
    assert operate("series.foresee", series="s")["surge_at_most"] == 120
    operate("series.activate", series="s")
    shown = operate("series.show", series="s")
    assert (shown["surge_at_most"], shown["definition"]["settings"]["surge"]) == (120, surge)
    come(sandbox, *["ann"] * 10)
    renamed = {**definition, "name": "S"}
    assert operate("series.plan", series="s", definition=renamed)["surge_at_most"] == 120
    wider = {"entry_event_name": "in", "surge": {**surge, "within": "2h"}}
    planned = operate("series.plan", series="s", definition={**definition, "settings": wider})
    assert planned["surge_at_most"] == 150
    assert operate("series.show", series="s")["surge_at_most"] == 120


def test_what_is_no_bound_is_refused(operate: Operator) -> None:
    """The message names the place, and what is allowed."""
    for wrong in (0, -1, True, 1.5, "many", None):
        surge = {"at_most": wrong, "within": "1h"}
        with pytest.raises(Refusal) as refused:
            operate("series.save", series="s", definition={**SURGED, "settings": {"surge": surge}})
        assert refused.value.message.startswith("series.s.settings.surge.at_most: ")
        assert refused.value.message.endswith("allowed are 1 to 10000000, and ‘auto’")
