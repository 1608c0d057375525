"""Tracking events (contract §2: the doors' table, and Events)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from halo_engine.contacts.events.track import TrackAnswer, TrackCall, track, track_all
from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import Refusal, validated
from halo_engine.opening import open_work
from halo_engine.tables import (
    end_users,
    event_counts,
    events,
    idempotency_keys,
    signals,
)
from halo_engine.work import OrgRef, Work
from tests.contacts.hostile import json_with, texts_among
from tests.contacts.sandbox import (
    EARLIER,
    NOW,
    add_contact,
    committed_organization,
    last_seen,
    new_organization,
    overtaken,
    refused,
    rows,
    statements,
    written_signals,
)

A_DAY = timedelta(days=1)
FIVE_MINUTES = timedelta(minutes=5)
A_MICROSECOND = timedelta(microseconds=1)


def call(**data: Any) -> TrackCall:
    """Return a sound call, of ``signed`` unless another event is given."""
    return validated(TrackCall, {"event": "signed", **data}, "track")


def ago(delta: timedelta) -> str:
    """Return the timestamp of an instant before ``NOW``."""
    return (NOW - delta).isoformat()


# The row of the doors' table.


def test_an_event_of_a_user_is_written_counted_seen_and_told(work: Work) -> None:
    """An event writes a row, a count of one, a later ``last_seen``, and one signal."""
    ann = add_contact(work, "ann")
    answer = track(work, call(user_id="ann", properties={"plan": "pro"}))

    assert answer.model_dump(mode="json") == {
        "event": "signed",
        "timestamp": "2026-06-01T09:00:00.000000+00:00",
        "warnings": [],
    }
    assert rows(work, events, "end_user_id", "session_id", "name", "properties", "live") == [
        (ann, None, "signed", {"plan": "pro"}, True)
    ]
    assert rows(work, events, "happened_at", "created_at") == [(NOW, NOW)]
    [(event_id,)] = rows(work, events, "id")
    assert counts(work) == [(ann, "signed", 1, NOW, NOW, NOW, event_id)]
    assert last_seen(work, ann) == NOW
    assert signals_of(work) == [("event", ann, "signed", NOW, NOW)]


def test_no_contact_is_created(work: Work) -> None:
    """An unknown user is a 404 that names it, and nothing is written."""
    with pytest.raises(Refusal) as refusal:
        track(work, call(user_id="nobody", idempotency_key="k"))
    assert refusal.value.as_dict() == {
        "status": 404,
        "code": "unknown_contact",
        "message": "There is no contact ‘nobody’.",
    }
    assert nothing_written(work)
    assert rows(work, end_users, "id") == []


def test_last_seen_is_never_lowered(work: Work) -> None:
    """An event never lowers ``last_seen``."""
    ann = add_contact(work, "ann", last_seen=NOW + A_DAY)
    track(work, call(user_id="ann"))
    assert last_seen(work, ann) == NOW + A_DAY


def test_nobody_else_is_touched(work: Work) -> None:
    """Neither a namesake in another organisation nor another contact here changes."""
    elsewhere = new_organization(work.connection)
    namesake = add_contact(elsewhere, "ann")
    add_contact(work, "ann")
    ben = add_contact(work, "ben")
    track(work, call(user_id="ann"))
    assert last_seen(elsewhere, namesake) == EARLIER
    assert last_seen(work, ben) == EARLIER
    assert nothing_written(elsewhere)


# Timestamps.


@pytest.mark.parametrize(
    ("age", "live"),
    [(timedelta(0), True), (A_DAY, True), (A_DAY + A_MICROSECOND, False), (90 * A_DAY, False)],
)
def test_older_than_24_hours_is_history(work: Work, age: timedelta, live: bool) -> None:
    """An event older than 24 hours is stored, counted and seen, but writes no signal."""
    ann = add_contact(work, "ann")
    track(work, call(user_id="ann", timestamp=ago(age)))
    at = NOW - age
    [(event_id, is_live, happened_at)] = rows(work, events, "id", "live", "happened_at")
    assert (is_live, happened_at) == (live, at)
    latest = (at, event_id) if live else (None, None)
    assert counts(work) == [(ann, "signed", 1, at, at, *latest)]
    assert last_seen(work, ann) == NOW
    assert signals_of(work) == ([("event", ann, "signed", at, NOW)] if live else [])


@pytest.mark.parametrize("ahead", [A_MICROSECOND, FIVE_MINUTES])
def test_a_timestamp_of_a_clock_that_differs_means_now(work: Work, ahead: timedelta) -> None:
    """A timestamp up to five minutes ahead means now, in the row, the answer and the signal."""
    ann = add_contact(work, "ann")
    answer = track(work, call(user_id="ann", timestamp=ago(-ahead)))
    assert answer.timestamp == "2026-06-01T09:00:00.000000+00:00"
    assert rows(work, events, "live", "happened_at") == [(True, NOW)]
    assert signals_of(work) == [("event", ann, "signed", NOW, NOW)]


def test_a_timestamp_further_ahead_is_refused(work: Work) -> None:
    """A timestamp a microsecond further ahead is a 400 that says what is allowed."""
    add_contact(work, "ann")
    ahead = FIVE_MINUTES + A_MICROSECOND
    with pytest.raises(Refusal) as refusal:
        track(work, call(user_id="ann", timestamp=ago(-ahead), idempotency_key="k"))
    assert refusal.value.as_dict() == {
        "status": 400,
        "code": "future_timestamp",
        "message": "timestamp: ‘2026-06-01T09:05:00.000001+00:00’ is in the future; "
        "allowed is up to 5 minutes ahead",
    }
    assert nothing_written(work)


def test_a_timestamp_without_an_offset_is_read_on_the_organisations_clock(work: Work) -> None:
    """Ten in Berlin is eight in UTC in summer (contract §1)."""
    berlin = new_organization(work.connection, timezone="Europe/Berlin")
    add_contact(berlin, "ann")
    answer = track(berlin, call(user_id="ann", timestamp="2026-06-01T10:00:00"))
    assert answer.timestamp == "2026-06-01T08:00:00.000000+00:00"


def test_a_bad_timestamp_is_refused(work: Work) -> None:
    """What is not ISO 8601 is a 400 that names the field."""
    add_contact(work, "ann")
    with pytest.raises(Refusal, match=r"^timestamp: ‘1748304000’ is not a date; ") as refusal:
        track(work, call(user_id="ann", timestamp="1748304000"))
    assert (refusal.value.status, refusal.value.code) == (400, "bad_date")


# Whose event it is.


def test_an_anonymous_event_waits_for_its_contact(work: Work) -> None:
    """A session's event is stored as history: not counted, and without a signal."""
    track(work, call(session_id="s-1"))
    assert rows(work, events, "end_user_id", "session_id", "live") == [(None, "s-1", False)]
    assert counts(work) == []
    assert signals_of(work) == []


def test_with_user_and_session_it_is_the_users(work: Work) -> None:
    """An event of a user with a session counts at once, and keeps its session."""
    ann = add_contact(work, "ann")
    track(work, call(user_id="ann", session_id="s-1"))
    assert rows(work, events, "end_user_id", "session_id", "live") == [(ann, "s-1", True)]
    assert len(signals_of(work)) == 1


# Refusals of what a call looks like.

NAMES = "allowed are 1 to 255 characters, not blank, without control characters"
TEXT = "allowed is text without NUL or lone surrogates"
KEYS = "event, user_id, session_id, properties, timestamp, idempotency_key, sent_at"


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ({}, "missing_key", "track.event: is required"),
        (
            {"event": "e"},
            "missing_key",
            "track: user_id: is required, unless there is a session_id",
        ),
        (
            {"event": "e", "user_id": None, "session_id": None},
            "missing_key",
            "track: user_id: is required, unless there is a session_id",
        ),
        (
            {"event": " ", "user_id": "ann"},
            "bad_name",
            f"track: event: ‘ ’ is not a name; {NAMES}",
        ),
        (
            {"event": "e", "user_id": ""},
            "bad_id",
            "track: user_id: ‘’ is refused; allowed are 1 to 255 characters, not blank",
        ),
        (
            {"event": "e", "session_id": 7},
            "bad_id",
            "track: session_id: 7 is refused; allowed are 1 to 255 characters, not blank",
        ),
        (
            {"event": "e", "user_id": "ann", "idempotency_key": "k\0"},
            "bad_text",
            f"track: idempotency_key: ‘k\\x00’ cannot be stored; {TEXT}",
        ),
        (
            {"event": "e", "user_id": "ann", "properties": {"a": {"b": float("nan")}}},
            "bad_number",
            "track: properties.a.b: nan cannot be stored; allowed are int64 and finite doubles",
        ),
        (
            {"event": "e", "user_id": "ann", "properties": [1]},
            "bad_input",
            "track.properties: a list is refused; allowed is an object",
        ),
        (
            {"event": "e", "user_id": "ann", "properties": dict.fromkeys(map(str, range(1001)))},
            "too_many",
            "track: properties: 1001 keys are too many; allowed are 1000",
        ),
        (
            {"event": "e", "user_id": "ann", "properties": {"a": "ä" * 16_000}},
            "too_large",
            "track: properties: 32008 bytes as compact JSON are too many; allowed are 32000",
        ),
        (
            {"event": "e", "user_id": "ann", "at": "now"},
            "unknown_key",
            f"track.at: unknown key; allowed are {KEYS}",
        ),
    ],
)
def test_what_is_not_a_call_is_refused(data: object, code: str, message: str) -> None:
    """Each refusal is a 400 that names the field and what is allowed (contract §11)."""
    assert refused(TrackCall, data, "track") == (400, code, message)


def test_properties_may_fill_their_bounds(work: Work) -> None:
    """Properties of 32,000 bytes of compact JSON, or with 1,000 keys, are accepted."""
    add_contact(work, "ann")
    large = {"a": "x" * (32_000 - len('{"a":""}'))}
    many = dict.fromkeys(map(str, range(1000)))
    for properties in (large, many):
        track(work, call(user_id="ann", properties=properties))
    assert rows(work, events, "properties") == [(large,), (many,)]


# Idempotency keys.


def test_the_same_call_again_is_answered_as_before(work: Work) -> None:
    """The same body under a used key gets the first answer, in any order of keys, and writes
    nothing.
    """
    ann = add_contact(work, "ann")
    first = track(work, call(user_id="ann", properties={"a": 1, "b": [True]}, idempotency_key="k"))
    before = everything(work)
    later = replace(work, now=NOW + A_DAY)
    again = track(
        later, call(user_id="ann", properties={"b": [True], "a": 1.0}, idempotency_key="k")
    )
    assert again == first
    assert everything(work) == before
    assert last_seen(work, ann) == NOW


@pytest.mark.parametrize(
    "change",
    [
        {"event": "other"},
        {"user_id": "ben"},
        {"user_id": "nobody"},
        {"session_id": "s"},
        {"properties": {"a": True}},
        {"timestamp": ago(timedelta(0))},
    ],
)
def test_another_body_is_a_conflict(work: Work, change: dict[str, Any]) -> None:
    """A used key with any part of the body changed is a 409, and nothing is written."""
    add_contact(work, "ann")
    add_contact(work, "ben")
    body = {"user_id": "ann", "properties": {"a": 1}, "idempotency_key": "k"}
    track(work, call(**body))
    before = everything(work)
    with pytest.raises(Refusal) as refusal:
        track(work, call(**{**body, **change}))
    assert refusal.value.as_dict() == {
        "status": 409,
        "code": "idempotency_key_reused",
        "message": "idempotency_key: ‘k’ was used with another body; "
        "allowed is a new key, or the same body again",
    }
    assert everything(work) == before


def test_a_key_is_the_organisations_own(work: Work) -> None:
    """Two organisations use the same key for two events."""
    elsewhere = new_organization(work.connection)
    for each in (work, elsewhere):
        add_contact(each, "ann")
        track(each, call(user_id="ann", event=each.org.key, idempotency_key="k"))
        assert rows(each, events, "name") == [(each.org.key,)]


def test_a_refused_call_does_not_use_its_key_up(work: Work) -> None:
    """A key whose call was a 404 tracks once the user is known."""
    with pytest.raises(Refusal, match="There is no contact"):
        track(work, call(user_id="ann", idempotency_key="k"))
    add_contact(work, "ann")
    assert track(work, call(user_id="ann", idempotency_key="k")).event == "signed"


def test_who_waited_for_a_key_answers_as_before(shared_database: Engine) -> None:
    """A call that waits for another with its key gets that one's answer."""
    org = committed_organization(shared_database, "ann", "ben")
    answers: list[TrackAnswer] = []
    again = call(session_id="s", idempotency_key="k")
    overtaken(
        shared_database,
        org,
        lambda work: answers.append(track(work, again)),
        lambda work: answers.append(track(replace(work, now=NOW + A_DAY), again)),
    )
    assert answers[0] == answers[1]
    with shared_database.connect() as connection:
        assert rows(open_work(connection, org, NOW), events, "session_id") == [("s",)]


def test_a_race_on_a_key_is_one_event_and_one_answer(shared_database: Engine) -> None:
    """Of eight calls at once with one key one writes, and all get its answer."""
    org = committed_organization(shared_database, "ann")
    outcomes = race(shared_database, org, [call(user_id="ann", idempotency_key="k")] * 8)
    assert len({repr(outcome) for outcome in outcomes}) == 1
    with shared_database.connect() as connection:
        work = open_work(connection, org, NOW)
        assert rows(work, event_counts, "count") == [(1,)]
        assert len(signals_of(work)) == 1


def test_a_race_of_two_bodies_on_a_key_has_one_winner(shared_database: Engine) -> None:
    """Of two bodies at once with one key one is written, and the other is a 409."""
    org = committed_organization(shared_database, "ann")
    names = ["a", "b"] * 4
    outcomes = race(
        shared_database,
        org,
        [call(user_id="ann", event=name, idempotency_key="k") for name in names],
    )
    with shared_database.connect() as connection:
        [(winner,)] = rows(open_work(connection, org, NOW), events, "name")
    for name, outcome in zip(names, outcomes, strict=True):
        assert isinstance(outcome, TrackAnswer) == (name == winner)
        assert name == winner or (isinstance(outcome, Refusal) and outcome.status == 409)


def test_a_race_without_keys_counts_every_event(shared_database: Engine) -> None:
    """Eight events at once for one contact are counted as eight."""
    org = committed_organization(shared_database, "ann", "ben")
    outcomes = race(shared_database, org, [call(user_id="ann")] * 8)
    assert all(isinstance(outcome, TrackAnswer) for outcome in outcomes)
    with shared_database.connect() as connection:
        work = open_work(connection, org, NOW)
        latest = max(id_ for (id_,) in rows(work, events, "id"))
        assert rows(work, event_counts, "count", "live_at", "live_id") == [(8, NOW, latest)]


def test_batches_that_meet_crosswise_do_not_fail(shared_database: Engine) -> None:
    """Sets about the same contacts in opposite orders wait for each other, and all events count."""
    org = committed_organization(shared_database, "ann", "ben", "cyd")
    forward = [call(user_id=name) for name in ("ann", "ben", "cyd")] * 5
    start = Barrier(4)

    def run(batch: list[TrackCall]) -> None:
        start.wait()
        for _ in range(12):
            with shared_database.begin() as connection:
                track_all(open_work(connection, org, NOW), batch)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, [forward, forward[::-1]] * 2))
    with shared_database.connect() as connection:
        work = open_work(connection, org, NOW)
        assert rows(work, event_counts, "count") == [(240,)] * 3


# Order within one instant, and sets.


def test_the_latest_live_firing_is_the_last_by_instant_then_by_arrival(work: Work) -> None:
    """The latest firing is that of the latest instant, and of equal instants the last to arrive."""
    add_contact(work, "ann")
    latest = []
    for age in (2, 1, 1, 3, 1):
        track(work, call(user_id="ann", timestamp=ago(timedelta(hours=age))))
        latest += rows(work, event_counts, "live_at", "live_id")
    ids = [id_ for (id_,) in rows(work, events, "id")]
    an_hour_ago, two_hours_ago = NOW - timedelta(hours=1), NOW - timedelta(hours=2)
    assert latest == [
        (two_hours_ago, ids[0]),
        (an_hour_ago, ids[1]),
        (an_hour_ago, ids[2]),
        (an_hour_ago, ids[2]),
        (an_hour_ago, ids[4]),
    ]
    assert rows(work, event_counts, "count", "first_at", "last_at") == [
        (5, NOW - timedelta(hours=3), an_hour_ago)
    ]


def test_history_is_counted_beside_the_latest_live_firing(work: Work) -> None:
    """History raises the count and may lower the first instant, but never replaces the latest
    firing.
    """
    add_contact(work, "ann")
    track(work, call(user_id="ann", timestamp=ago(90 * A_DAY)))
    track(work, call(user_id="ann"))
    track(work, call(user_id="ann", timestamp=ago(100 * A_DAY)))
    live = rows(work, events, "id")[1][0]
    assert rows(work, event_counts, "count", "first_at", "last_at", "live_at", "live_id") == [
        (3, NOW - 100 * A_DAY, NOW, NOW, live)
    ]


def test_a_set_is_written_in_its_order(work: Work) -> None:
    """Events and signals of a set are numbered in the order of the calls, whichever contacts they
    name.
    """
    contacts = {name: add_contact(work, name) for name in ("ann", "ben")}
    names = ["ben", "ann", "ben", "ann"] * 3
    track_all(work, [call(user_id=name, event=f"e{n}") for n, name in enumerate(names)])
    assert rows(work, events, "name") == [(f"e{n}",) for n in range(12)]
    assert [(id_, name) for _, id_, name, *_ in signals_of(work)] == [
        (contacts[name], f"e{n}") for n, name in enumerate(names)
    ]


def test_a_bad_call_spoils_no_other_of_its_set(work: Work) -> None:
    """Each call of a set has its own outcome, in its place; the valid ones are written."""
    add_contact(work, "ann")
    track(work, call(user_id="ann", idempotency_key="old"))
    outcomes = track_all(
        work,
        [
            call(user_id="ann", idempotency_key="new"),
            call(user_id="nobody"),
            call(user_id="ann", timestamp=ago(-A_DAY)),
            call(user_id="ann", idempotency_key="new"),
            call(user_id="ann", event="other", idempotency_key="new"),
            call(user_id="ann", event="other", idempotency_key="old"),
            call(session_id="s"),
        ],
    )
    assert [
        outcome.status if isinstance(outcome, Refusal) else outcome.event for outcome in outcomes
    ] == ["signed", 404, 400, "signed", 409, 409, "signed"]
    assert rows(work, events, "session_id") == [(None,), (None,), ("s",)]


@pytest.mark.parametrize("size", [1, 500])
def test_a_set_of_any_size_is_one_statement(work: Work, size: int) -> None:
    """A set of one and a set of five hundred events each take one statement."""
    for number in range(size):
        add_contact(work, f"u{number}")
    calls = [call(user_id=f"u{number}", idempotency_key=f"k{number}") for number in range(size)]
    with statements(work.connection) as seen:
        track_all(work, calls)
        assert len(seen) == 1
        track_all(work, calls)
        assert len(seen) == 3
    assert len(signals_of(work)) == size


def test_the_statements_work_with_a_reused_plan(work: Work) -> None:
    """The statements do the same at their fifteenth run on a connection, when the server reuses
    plans.
    """
    add_contact(work, "ann")
    for number in range(15):
        for _ in range(2):
            track(work, call(user_id="ann", idempotency_key=f"k{number}"))
    assert rows(work, event_counts, "count") == [(15,)]


# Hostile input.

_TEXTS = texts_among(["ann", "nobody", "k", "", " ", "2026-05-31", "9999-12-31T23:59:59Z"])
_JSON = json_with(_TEXTS)
_BODIES = st.fixed_dictionaries(
    {"event": st.one_of(st.just("e"), _JSON), "user_id": st.one_of(st.just("ann"), _JSON)},
    optional={
        "session_id": _JSON,
        "properties": st.one_of(st.dictionaries(_TEXTS, _JSON, max_size=4), _JSON),
        "timestamp": st.one_of(st.datetimes().map(lambda at: at.isoformat()), _JSON),
        "idempotency_key": st.one_of(st.sampled_from(["k", "l"]), _JSON),
        "surprise": _JSON,
    },
)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(bodies=st.lists(_BODIES, min_size=1, max_size=3))
def test_any_input_is_written_or_refused(work: Work, bodies: list[object]) -> None:
    """Any input is tracked or refused, and the valid calls of a set are written."""
    if not rows(work, end_users, "id"):
        add_contact(work, "ann")
    calls = [each for body in bodies if (each := sound(body)) is not None]
    *outcomes, last = track_all(work, [*calls, call(user_id="ann", event="last")])
    assert isinstance(last, TrackAnswer)
    for outcome in outcomes:
        assert isinstance(outcome, TrackAnswer) or outcome.status in (400, 404, 409)
        str(outcome).encode()


def sound(body: object) -> TrackCall | None:
    """Return the call that ``body`` is; None when it is refused, which only a 400 may do."""
    try:
        return validated(TrackCall, body, "track")
    except Refusal as refusal:
        if refusal.status != 400:
            raise
        return None


def race(database: Engine, org: OrgRef, calls: list[TrackCall]) -> list[TrackAnswer | Refusal]:
    """Make all calls at once, each in a transaction of its own; return their outcomes in order."""
    start = Barrier(len(calls))

    def run(each: TrackCall) -> TrackAnswer | Refusal:
        start.wait()
        try:
            return run_in_transaction(
                database, lambda connection: track(open_work(connection, org, NOW), each)
            )
        except Refusal as refusal:
            return refusal

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def counts(work: Work) -> list[tuple[Any, ...]]:
    """Return the organisation's event counts, whole."""
    columns = ("end_user_id", "name", "count", "first_at", "last_at", "live_at", "live_id")
    return rows(work, event_counts, *columns)


def signals_of(work: Work) -> list[tuple[Any, ...]]:
    """Return the organisation's signals in order of arrival, as far as events concern."""
    columns = ("kind", "end_user_id", "event_name", "happened_at", "created_at")
    return rows(work, signals, *columns)


def everything(work: Work) -> list[object]:
    """Return whatever tracking writes."""
    return [
        rows(work, events, "id", "name"),
        counts(work),
        signals_of(work),
        rows(work, idempotency_keys, "key", "fingerprint"),
        rows(work, end_users, "id", "last_seen", "updated_at"),
        written_signals(work),
    ]


def nothing_written(work: Work) -> bool:
    """Tell whether tracking left no trace."""
    return not any(
        rows(work, each, "org_id") for each in (events, event_counts, signals, idempotency_keys)
    )


# What a run keeps of the properties (§21).


def test_an_answer_names_the_properties_that_a_run_does_not_keep(work: Work) -> None:
    """Beyond 8,192 bytes the largest properties are named, largest first; the event is whole."""
    add_contact(work, "ann")
    fits = {"note": "x" * (8_192 - len('{"note":""}'))}
    assert track(work, call(user_id="ann", properties=fits)).warnings == ()
    large = {"a": "x" * 5_000, "b": "y" * 6_000, "c": "z" * 4_000, "d": 1}
    answer = track(work, call(user_id="ann", properties=large))
    [warning] = answer.warnings
    assert warning == (
        "properties: a run that this event begins keeps 8192 bytes of them at most, so it is "
        "without ‘b’, ‘a’; the event itself is whole"
    )
    assert rows(work, events, "left_out", "properties") == [(None, fits), (["b", "a"], large)]


def test_one_property_alone_can_be_too_large(work: Work) -> None:
    """Of one property that is too large nothing is kept."""
    add_contact(work, "ann")
    track(work, call(user_id="ann", properties={"é": "é" * 4_096}))
    assert rows(work, events, "left_out") == [(["é"],)]
