"""How much may be stored of one contact (contract §2, Bounds)."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.csv_import.importing import ImportCsvCall, import_csv
from halo_engine.contacts.identifying.identify import IdentifyAnswer, IdentifyCall, identify
from halo_engine.contacts.identifying.sync import SyncCall, sync
from halo_engine.contacts.identifying.update import UpdateCall, update
from halo_engine.domain.errors import Refusal
from halo_engine.opening import open_work
from halo_engine.rehearsal.tokens import signed
from halo_engine.tables import audience_fields, companies, end_users, signals
from halo_engine.work import Work
from tests.contacts.racing import at_once
from tests.contacts.sandbox import NOW, add_contact, committed_organization, rows

SECRET = "a-secret-of-at-least-thirty-two-bytes!"
BOUND = 400_000


def size(*documents: object) -> int:
    """Return the bytes of documents, as compact JSON in UTF-8."""
    texts = (json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in documents)
    return sum(len(text.encode()) for text in texts)


def padded(to: int, **document: Any) -> dict[str, Any]:
    """Return the document, filled up with a field ``pad`` to so many bytes."""
    return {**document, "pad": "x" * (to - size({**document, "pad": ""}))}


def says(work: Work, **call: Any) -> IdentifyAnswer:
    """Identify ``ann``, unless the call says otherwise."""
    return identify(work, IdentifyCall(**{"user_id": "ann", **call}))


def everything(work: Work) -> list[list[tuple[Any, ...]]]:
    """Return what the doors write, whole."""
    return [rows(work, table, *table.c.keys()) for table in (end_users, companies, signals)] + [
        rows(work, audience_fields, "key")
    ]


def test_documents_may_fill_the_bound(work: Work) -> None:
    """Custom fields and context count together, as compact JSON, and may fill the bound."""
    context = {'é: , " ': 1, "list": [1, {"a": None}], "text": "a, b: c"}
    custom = padded(BOUND - size(context) + 1, n=11)
    add_contact(work, "ann", custom_fields=custom, context=context)
    says(work, traits={"n": 2})
    [(stored,)] = rows(work, end_users, "custom_fields")
    assert stored == {**custom, "n": 2}
    assert size(stored, context) == BOUND


@pytest.mark.parametrize(
    "call", [{"traits": {"n": 12}}, {"context": {"c": 12}}, {"traits": {"name": "Ann", "n": 12}}]
)
def test_a_byte_more_is_refused_and_nothing_is_written(work: Work, call: dict[str, Any]) -> None:
    """One byte more is a 400 that names the resulting size, and nothing is written."""
    context = {"c": 1}
    add_contact(work, "ann", custom_fields=padded(BOUND - size(context), n=1), context=context)
    before = everything(work)
    with pytest.raises(Refusal) as raised:
        says(work, **call)
    assert raised.value.as_dict() == {
        "status": 400,
        "code": "too_large",
        "message": "custom_fields and context together: they would be 400001 bytes as compact "
        "JSON; allowed are 400000",
    }
    assert everything(work) == before


def test_documents_that_were_too_large_before_may_shrink(work: Work) -> None:
    """Documents above the bound may shrink or stay, but not grow."""
    add_contact(work, "ann", custom_fields=padded(BOUND + 1_000, large="x" * 500))
    says(work, traits={"large": None, "name": "Ann"})
    with pytest.raises(Refusal, match="they would be 400508 bytes"):
        says(work, traits={"n": 1})
    [(name, custom)] = rows(work, end_users, "name", "custom_fields")
    assert (name, custom["large"], size(custom)) == ("Ann", None, BOUND + 502)


def test_a_user_that_is_too_large_does_not_spoil_its_batch(work: Work) -> None:
    """Update reports each entry of a user that is too large by index; the others are written."""
    work = replace(work, org=replace(work.org, identity_secret=SECRET))
    add_contact(work, "full", custom_fields=padded(BOUND))
    users = [
        {"user_id": "ann", "traits": {"n": 1}},
        {"user_id": "full", "traits": {"n": 1}},
        {"user_id": ""},
        {"user_id": "full", "traits": {"m": 1}},
        {"user_id": "full-not", "traits": {"n": 1}},
    ]
    token = signed({"scope": "users.update"}, SECRET, NOW, timedelta(minutes=5))
    answer = update(work, UpdateCall(users=users, user_token=token))
    assert (answer.created, answer.updated, answer.skipped) == (2, 0, 0)
    assert [(each.index, each.code) for each in answer.errors] == [
        (1, "too_large"),
        (2, "bad_id"),
        (3, "too_large"),
    ]
    said = "users[1]: custom_fields and context together: they would be 400012 bytes"
    assert answer.errors[0].message.startswith(said)
    stored = dict(rows(work, end_users, "external_id", "custom_fields"))
    assert stored == {"ann": {"n": 1}, "full-not": {"n": 1}, "full": padded(BOUND)}


def test_a_row_that_is_too_large_does_not_spoil_its_file(work: Work) -> None:
    """CSV import reports a row that is too large by line; the others are imported."""
    add_contact(work, "full", custom_fields=padded(BOUND))
    answer = import_csv(
        work,
        ImportCsvCall(
            text="ID,Plan\nann,pro\nfull,pro\n ,pro\nben,pro\n",
            mapping={"ID": "external_id", "Plan": "plan"},
        ),
    )
    assert (answer.created, answer.updated, answer.bad) == (2, 0, 2)
    assert [(each.line, each.code) for each in answer.errors] == [(3, "too_large"), (4, "bad_row")]
    stored = dict(rows(work, end_users, "external_id", "custom_fields"))
    assert stored == {"ann": {"plan": "pro"}, "ben": {"plan": "pro"}, "full": padded(BOUND)}


def test_a_contact_that_is_too_large_does_not_spoil_its_sync(work: Work) -> None:
    """Sync reports a contact that is too large by index; the others are written."""
    add_contact(work, "full", custom_fields=padded(BOUND))
    contacts = [{"user_id": name, "traits": {"plan": "pro"}} for name in ("full", "ann")]
    answer = sync(work, SyncCall(source="crm", contacts=contacts))
    assert (answer.created, answer.updated) == (1, 0)
    assert [(each.index, each.code) for each in answer.errors] == [(0, "too_large")]
    assert answer.errors[0].message.startswith("contacts[0]: custom_fields and context together: ")


def test_a_company_has_the_bound_too(work: Work) -> None:
    """A company that is too large is refused, and its user does not join it."""
    add_contact(work, "ann")
    identify_company(work, IdentifyCompanyCall(id="acme", traits={"n": 1}))
    for letter in "abcdefghijklmnopqrst":
        traits = {letter: "x" * 19_980}
        identify_company(work, IdentifyCompanyCall(id="acme", traits=traits))
    before = everything(work)
    call = IdentifyCompanyCall(id="acme", traits={"u": "x" * 19_980}, user_id="ann")
    with pytest.raises(Refusal) as raised:
        identify_company(work, call)
    assert raised.value.message == (
        "custom_fields: they would be 419728 bytes as compact JSON; allowed are 400000"
    )
    assert everything(work) == before


def test_calls_that_race_cannot_pass_the_bound(database: Engine) -> None:
    """Of eight calls at once only the five that fit are taken, whichever come first."""
    org = committed_organization(database)
    with database.begin() as connection:
        add_contact(
            open_work(connection, org, NOW), "ann", custom_fields=padded(BOUND - 5 * 19_000)
        )

    def filling(name: str) -> Callable[[Work], bool]:
        def run(work: Work) -> bool:
            try:
                says(work, traits={name: "x" * (19_000 - size({name: ""}) + 1)})
            except Refusal as refusal:
                return refusal.code != "too_large"
            return True

        return run

    taken = at_once(database, org, *map(filling, "abcdefgh"))
    assert sorted(taken) == [False] * 3 + [True] * 5
    with database.connect() as connection:
        [(custom,)] = rows(open_work(connection, org, NOW), end_users, "custom_fields")
    assert size(custom) == BOUND
