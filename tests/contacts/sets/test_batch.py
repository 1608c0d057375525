"""The task for many calls at once: each has its answer, a bad one alone is refused (§2)."""

from typing import Any

import pytest
from sqlalchemy import func, select

from halo_engine.domain.errors import Refusal
from halo_engine.doors.batch import BatchCall, perform_batch
from halo_engine.doors.door import as_data
from halo_engine.tables import end_users, events, signals
from halo_engine.work import Work
from tests.contacts.sandbox import statements


def _batch(work: Work, *calls: object) -> list[Any]:
    answer = perform_batch(work, BatchCall(calls=list(calls)))
    answers: list[Any] = as_data(answer)["answers"]
    return answers


def test_each_call_is_answered_at_its_place(work: Work) -> None:
    """Calls of any door are answered in place, and later calls see the earlier ones."""
    ann, company, paid, lead = _batch(
        work,
        {"door": "identify", "user_id": "ann", "traits": {"plan": "pro"}},
        {"door": "companies.identify", "id": "acme", "user_id": "ann"},
        {"door": "track", "event": "paid", "user_id": "ann"},
        {"door": "leads.capture", "email": "new@x.example"},
    )
    assert (ann["user_id"], ann["created"]) == ("ann", True)
    assert (company["company_id"], company["created"]) == ("acme", True)
    assert paid["event"] == "paid"
    assert lead == {"created": True, "warnings": []}


def test_a_bad_call_is_refused_alone(work: Work) -> None:
    """A bad call is refused alone, whatever is wrong; the message names its place or field."""
    answers = _batch(
        work,
        {"door": "identify", "user_id": "ann"},
        {"door": "identify", "user_id": " "},
        {"door": "identify", "user_id": "bob", "traits": {"id": 1}},
        {"door": "users.update", "users": []},
        {"door": "track", "event": "paid", "user_id": "nobody"},
        {"user_id": "cid"},
        7,
        {"door": "identify", "user_id": "dee"},
    )
    refusals = [each.get("refused") for each in answers]
    assert [each and (each["status"], each["code"]) for each in refusals] == [
        None,
        (400, "bad_id"),
        (400, "reserved_trait"),
        (400, "bad_input"),
        (404, "unknown_contact"),
        (400, "missing_key"),
        (400, "bad_input"),
        None,
    ]
    messages = [each["message"] for each in refusals if each]
    assert messages[0].startswith("calls[1]: halo.identify: user_id: ")
    assert messages[2].startswith("calls[3].door: ‘users.update’ is refused; allowed are ")
    assert messages[4] == "calls[5].door: is required"
    of_org = end_users.c.org_id == work.org_id
    known = select(end_users.c.external_id).where(of_org).order_by(end_users.c.external_id)
    assert work.connection.scalars(known).all() == ["ann", "dee"]


def test_calls_about_one_contact_keep_their_order(work: Work) -> None:
    """Of several calls about one contact the last one's plan stays, and each change has its
    signal.
    """
    plans = ["free", "pro", "team", "pro"]
    calls = [{"door": "identify", "user_id": "ann", "traits": {"plan": each}} for each in plans]
    created = [each["created"] for each in _batch(work, *calls)]
    assert created == [True, False, False, False]
    mine = select(end_users.c.custom_fields).where(end_users.c.org_id == work.org_id)
    assert work.connection.scalar(mine) == {"plan": "pro"}
    kinds = select(signals.c.kind).where(signals.c.org_id == work.org_id).order_by(signals.c.id)
    assert work.connection.scalars(kinds).all() == ["created", "changed", "changed", "changed"]


def test_many_calls_take_as_many_statements_as_a_few(work: Work) -> None:
    """Two statements for identifies with addresses, one for events, and one that plans them, for
    any number of calls.
    """

    def mixed(names: range) -> int:
        calls: list[dict[str, Any]] = []
        for number in names:
            user = f"u{number}"
            traits = {"email": f"{user}@x.example"}
            calls.append({"door": "identify", "user_id": user, "traits": traits})
            calls.append({"door": "track", "event": "paid", "user_id": user})
        with statements(work.connection) as executed:
            _batch(work, *calls)
        return len(executed)

    assert mixed(range(3)) == mixed(range(10, 200)) == 4
    counted = select(func.count()).select_from(events).where(events.c.org_id == work.org_id)
    assert work.connection.scalar(counted) == 193


def test_more_than_500_calls_are_refused_together() -> None:
    """More than 500 calls are refused as a whole."""
    with pytest.raises(Refusal, match=r"^calls: 501 are too many") as refused:
        BatchCall.model_validate({"calls": [{}] * 501})
    assert refused.value.code == "too_many"
