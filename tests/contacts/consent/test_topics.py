"""Lists as topics: what people see of them, and who joins by being created (contract §16)."""

from typing import Any

import pytest

from halo_engine.contacts.consent.subscriptions import (
    SaveListCall,
    all_lists,
    create_list,
    save_list,
)
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.contacts.identifying.sync import SyncCall, sync
from halo_engine.domain.errors import validated
from halo_engine.opening import open_work
from halo_engine.tables import subscription_members
from halo_engine.work import OrgRef, Work
from tests.contacts.sandbox import NOW, add_contact, refused, rows


def save(work: Work, key: str, **topic: Any) -> dict[str, Any]:
    """Save a list; return the answer without what is empty."""
    call = validated(SaveListCall, {"list": key, **topic}, "list")
    answer = save_list(work, call).model_dump(exclude_defaults=True)
    return {name: value for name, value in answer.items() if name != "list"}


def reopened(work: Work) -> Work:
    """Open the organisation's next transaction: its settings are read again."""
    return open_work(work.connection, OrgRef(id=work.org_id), NOW)


def known(work: Work, user_id: str) -> int:
    """Identify a user with the organisation as it is now; return how many lists it is on."""
    now = reopened(work)
    contact = identify(now, validated(IdentifyCall, {"user_id": user_id}, "identify")).id
    members = rows(work, subscription_members, "end_user_id")
    return members.count((contact,))


def test_a_save_changes_what_it_gives(work: Work) -> None:
    """A first save creates the list; later missing fields stay, and null removes."""
    assert save(work, "news") == {}
    assert save(work, "news", name="News", description="Once a month.") == {
        "name": "News",
        "description": "Once a month.",
    }
    assert save(work, "news", name=None, default=True) == {
        "description": "Once a month.",
        "default": True,
    }
    create_list(work, "tips")
    assert [each.list for each in all_lists(work)] == ["news", "tips"]


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ({"name": " "}, "list.name: ‘ ’ is blank or no line of plain text"),
        ({"name": "a\nb"}, "list.name: ‘a\\nb’ is blank or no line of plain text"),
        ({"description": "x" * 501}, "list.description: "),
        ({"default": "yes"}, "list.default: "),
    ],
)
def test_what_people_cannot_read_is_refused(topic: dict[str, Any], message: str) -> None:
    """A name that people cannot read is refused by its field."""
    assert refused(SaveListCall, {"list": "news", **topic}, "list")[2].startswith(message)


def test_who_is_created_joins_the_default_lists(work: Work) -> None:
    """A new contact joins the lists that are default then; existing contacts do not."""
    for key in ("news", "tips", "offers"):
        save(work, key, default=key != "offers")
    assert known(work, "ann") == 2
    assert known(work, "ann") == 2
    add_contact(work, "old")
    assert known(work, "old") == 0
    save(work, "news", default=False)
    assert known(work, "bob") == 1
    save(work, "tips", default=False)
    assert known(work, "cem") == 0
    assert not reopened(work).org.has_default_lists


def test_a_batch_of_new_contacts_joins_too(work: Work) -> None:
    """Each new contact of a batch joins each default list, by one statement."""
    for key in ("news", "tips"):
        save(work, key, default=True)
    users = [{"user_id": name} for name in ("ann", "bob")]
    sync(reopened(work), validated(SyncCall, {"source": "crm", "contacts": users}, "sync"))
    assert len(rows(work, subscription_members, "end_user_id")) == 4
