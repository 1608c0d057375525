"""Calls that go as a set leave the same rows, signals and answers as calls one by one (§2)."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import Connection, insert, select, text

from halo_engine.contacts.companies.identify import IDENTIFY_COMPANY_SET, IdentifyCompanyCall
from halo_engine.contacts.events.track import TRACK_SET, TrackCall
from halo_engine.contacts.identifying.identify import IDENTIFY_SET, IdentifyCall
from halo_engine.contacts.identifying.leads import CAPTURE_LEAD_SET, CaptureLeadCall
from halo_engine.contacts.subjects import about_address
from halo_engine.contacts.writing.registry import MOST_FIELDS
from halo_engine.domain.errors import Refusal
from halo_engine.domain.times.instants import format_instant
from halo_engine.opening import open_work
from halo_engine.sets import SetCall, SetForm, in_groups, perform_calls
from halo_engine.tables import (
    audience_field_counts,
    audience_fields,
    companies,
    contact_sessions,
    end_users,
    event_counts,
    events,
    idempotency_keys,
    signals,
)
from halo_engine.work import OrgRef, Work
from tests.contacts.sandbox import NOW, new_organization

SEQUENCES: Final = max(int(os.environ.get("HALO_TEST_SEQUENCES", "0")) // 10, 12)
_CALLS: Final = 40

_USERS: Final = ("ann", "bob", "cid", "dee", "eve")
_EMAILS: Final = ("a@x.example", "A@x.example", "b@x.example", "i@x.example", "İ@x.example")
_SESSIONS: Final = ("s1", "s2")
_COMPANIES: Final = ("c1", "c2")
_EVENTS: Final = ("paid", "left")
_FIELDS: Final = ("plan", "seats", "since", "zeal")
_VALUES: Final = (None, 1, 2.5, True, "pro", "2026-05-01", ["x"], {"y": 1})


def _sent_at(random: Random) -> dict[str, Any]:
    if random.random() < 0.8:
        return {}
    minutes = random.choice((-10, -3, -1, 1))
    return {"sent_at": format_instant(NOW + timedelta(minutes=minutes))}


def _traits(random: Random) -> dict[str, Any]:
    traits: dict[str, Any] = {
        name: random.choice(_VALUES) for name in _FIELDS if random.random() < 0.3
    }
    if random.random() < 0.4:
        traits["email"] = random.choice((*_EMAILS, None))
    if random.random() < 0.2:
        traits["name"] = random.choice(("Ann", "Bob", 7))
    if random.random() < 0.05:
        traits["id"] = 1
    return traits


def _identify(random: Random) -> IdentifyCall:
    some = {"session_id": random.choice(_SESSIONS)} if random.random() < 0.2 else {}
    return IdentifyCall(
        user_id=random.choice(_USERS),
        traits=_traits(random),
        context={"ip": random.choice("12")} if random.random() < 0.2 else None,
        **some,
        **_sent_at(random),
    )


def _company(random: Random) -> IdentifyCompanyCall:
    traits = {**_traits(random), "email": "of a company"}
    user = {"user_id": random.choice(_USERS)} if random.random() < 0.7 else {}
    return IdentifyCompanyCall(
        id=random.choice(_COMPANIES), traits=traits, **user, **_sent_at(random)
    )


def _track(random: Random) -> TrackCall:
    whose: dict[str, Any] = random.choice(
        (
            {"user_id": random.choice(_USERS)},
            {"session_id": random.choice(_SESSIONS)},
            {"user_id": random.choice(_USERS), "session_id": random.choice(_SESSIONS)},
        )
    )
    hours = random.choice((-48, -1, 0, 1))
    return TrackCall(
        event=random.choice(_EVENTS),
        timestamp=format_instant(NOW + timedelta(hours=hours)),
        idempotency_key=random.choice((None, None, "k1", "k2")),
        **whose,
    )


def _lead(random: Random) -> CaptureLeadCall:
    return CaptureLeadCall(email=random.choice(_EMAILS), traits={"plan": random.choice(_VALUES)})


_KINDS: Final[Sequence[tuple[SetForm, Callable[[Random], Any]]]] = (
    (IDENTIFY_SET, _identify),
    (IDENTIFY_SET, _identify),
    (TRACK_SET, _track),
    (IDENTIFY_COMPANY_SET, _company),
    (CAPTURE_LEAD_SET, _lead),
)


def _calls(random: Random) -> list[SetCall]:
    kinds = [random.choice(_KINDS) for _ in range(_CALLS)]
    return [SetCall(form, make(random)) for form, make in kinds]


def _as_sets(work: Work, calls: Sequence[SetCall], random: Random) -> list[Any]:
    """Do the calls as sets of some sizes."""
    outcomes: list[Any] = []
    while len(outcomes) < len(calls):
        size = random.choice((1, 3, 10, 40))
        outcomes += perform_calls(work, calls[len(outcomes) : len(outcomes) + size])
    return outcomes


def _one_by_one(work: Work, calls: Sequence[SetCall], _: Random) -> list[Any]:
    return [perform_calls(work, [call])[0] for call in calls]


class _Names:
    """What contacts and companies are called, whatever their ids."""

    def __init__(self, work: Work) -> None:
        self._names: dict[UUID, str] = {}
        for table in (end_users, companies):
            found = select(table).where(table.c.org_id == work.org_id)
            for row in work.connection.execute(found).mappings():
                name = row["external_id"] or f"lead {row['address']}"
                self._names[row["id"]] = f"{table.name} {name}"

    def of(self, value: Any) -> Any:
        """Return the value with names for ids."""
        match value:
            case UUID():
                return self._names.get(value, "nobody")
            case BaseModel():
                return {name: self.of(each) for name, each in value}
            case Refusal():
                return value.as_dict()
            case dict() | Mapping():
                return {name: self.of(each) for name, each in value.items()}
        return value


_WHOSE: Final = ("end_user_id", "company_id", "session_id")
#: Numbered as they are written, and so different on each side.
_NUMBERED: Final = frozenset({"org_id", "id", "live_id", "event_id"})
_TABLES: Final = (
    audience_field_counts,
    audience_fields,
    companies,
    contact_sessions,
    end_users,
    event_counts,
    events,
    idempotency_keys,
    signals,
)


def _rows(work: Work, names: _Names) -> dict[str, Counter[str]]:
    """Return the rows of all tables; those of events and signals also in their order by whom."""
    found: dict[str, Counter[str]] = {}
    for table in _TABLES:
        rows = work.connection.execute(select(table).where(table.c.org_id == work.org_id))
        lines = []
        by_whom: Counter[str] = Counter()
        for row in sorted(rows.mappings(), key=lambda row: row.get("id", 0)):
            whose = str([names.of(row.get(each)) for each in _WHOSE])
            by_whom[whose] += 1
            turn = by_whom[whose] if table in (events, signals) else 0
            said = {name: each for name, each in row.items() if name not in _NUMBERED}
            if table in (end_users, companies):
                said["id"] = names.of(row["id"])
            if "changed" in said:
                said["changed"] = sorted(said["changed"])
            lines.append(f"{turn} {sorted(names.of(said).items())}")
        found[table.name] = Counter(lines)
    return found


def _organization(connection: Connection, registered: int) -> Work:
    org_id = new_organization(connection).org_id
    if registered:
        counted = {"org_id": org_id, "registered": registered}
        connection.execute(insert(audience_field_counts).values(counted))
    return open_work(connection, OrgRef(id=org_id), NOW)


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_a_set_ends_as_its_calls_one_by_one_would(work: Work, seed: int) -> None:
    """Rows, events, refusals, answers and each contact's signals in order are the same."""
    lines = []
    for play in (_as_sets, _one_by_one):
        random = Random(seed)
        # Almost as many fields as may be registered, so that some are left out.
        mine = _organization(work.connection, random.choice((0, MOST_FIELDS - 2)))
        outcomes = play(mine, _calls(random), random)
        names = _Names(mine)
        lines.append(([names.of(each) for each in outcomes], _rows(mine, names)))
    (answers, rows), (answers_alone, rows_alone) = lines
    assert [*enumerate(answers)] == [*enumerate(answers_alone)]
    for table, written in rows.items():
        assert written == rows_alone[table], table


def _letters(connection: Connection) -> Iterable[tuple[str, str]]:
    every = "SELECT chr(n), lower(chr(n)) FROM generate_series(128, 1114111) n"
    rows = connection.execute(text(f"{every} WHERE n NOT BETWEEN 55296 AND 57343"))
    return ((row[0], row[1]) for row in rows)


def test_addresses_that_postgresql_takes_for_one_are_one_subject(work: Work) -> None:
    """Every letter in upper and in lower case is one subject, as PostgreSQL compares it."""
    apart = [
        letter
        for letter, lowered in _letters(work.connection)
        if letter != lowered
        and [*about_address(f"{letter}@x.example")] != [*about_address(f"{lowered}@x.example")]
    ]
    assert apart == []


@pytest.mark.parametrize("field", ["plan", "email"])
def test_a_companys_new_field_waits_for_its_turn_in_the_registry(field: str) -> None:
    """Calls with new fields keep their order; a company's may be new though contacts have its
    name.
    """
    acme, bigco = (
        SetCall(IDENTIFY_COMPANY_SET, IdentifyCompanyCall(id=name, traits={field: "pro"}))
        for name in ("acme", "bigco")
    )
    ann = SetCall(IDENTIFY_SET, IdentifyCall(user_id="ann", traits={"seats": 1}))
    groups = in_groups([acme, ann, bigco], settled={"plan"})
    assert [list(group.ordinals) for group in groups] == [[0], [1], [2]]
    groups = in_groups([acme, ann, bigco], settled={"plan", "seats"})
    assert [list(group.ordinals) for group in groups] == [[0, 2], [1]]


def test_calls_about_different_contacts_are_one_group_of_each_door() -> None:
    """Calls about different contacts are one group for each door, so statements do not grow with
    calls.
    """
    calls = []
    for number in range(50):
        calls.append(SetCall(IDENTIFY_SET, IdentifyCall(user_id=f"u{number}")))
        calls.append(SetCall(TRACK_SET, TrackCall(event="paid", user_id=f"u{number}")))
        calls.append(SetCall(TRACK_SET, TrackCall(event="left", user_id=f"u{number}")))
    groups = in_groups(calls)
    assert [(group.form, len(group.ordinals)) for group in groups] == [
        (IDENTIFY_SET, 50),
        (TRACK_SET, 100),
    ]
