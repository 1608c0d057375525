"""`halo key` and `halo org rotate-widget-key`: the keys of an organisation (contract §12)."""

from halo_engine.domain.errors import Refusal
from halo_engine.opening import open_work
from halo_engine.work import OrgRef
from tests.cli.console import Console


def test_a_key_is_shown_once(halo: Console) -> None:
    """Making it prints the key; listing it prints its prefix alone."""
    made = halo.json("key", "create", "--role", "viewer", "--name", "Board")
    assert list(made) == ["id", "name", "role", "key", "prefix", "created_at", "expires_at"]
    listed = halo("key", "list")
    assert made["key"] not in listed
    assert made["prefix"] in listed
    assert "Board  viewer" in listed


def test_for_people_it_says_that_it_is_shown_only_now(halo: Console) -> None:
    """The last line says so."""
    printed = halo("key", "create", "--role", "admin", "--expires", "90d").splitlines()
    assert printed[0].startswith("key")
    assert printed[-1] == "Keep it: it is shown only now."


def test_a_key_is_revoked_by_its_id(halo: Console) -> None:
    """A revoked key stays in the list, marked as revoked."""
    made = halo.json("key", "create", "--role", "editor")
    assert halo("key", "revoke", made["id"]) == f"{made['prefix']} is revoked.\n"
    [listed] = halo.json("key", "list")["items"]
    assert listed["revoked_at"] is not None
    said = "Error: There is no key ‘00000000-0000-0000-0000-000000000000’.\n"
    assert halo("key", "revoke", "00000000-0000-0000-0000-000000000000", status=1) == said


def _answers(halo: Console, widget_key: str) -> bool:
    """Return whether a call by this widget key reaches the organisation."""
    with halo.database.connect() as connection:
        try:
            return open_work(connection, OrgRef(widget_key=widget_key), None).org.key == halo.org
        except Refusal:
            return False


def test_the_old_widget_key_works_until_it_is_revoked(halo: Console) -> None:
    """Both widget keys work for a while, so applications move to the new one at their own pace."""
    first = halo.json("org", "show", halo.org)["widget_key"]
    rotated = halo.json("org", "rotate-widget-key", halo.org)
    second = rotated["widget_key"]
    assert second != first
    assert rotated["old_widget_key"] == first
    assert (_answers(halo, first), _answers(halo, second)) == (True, True)
    revoked = halo.json("org", "rotate-widget-key", halo.org, "--revoke-old")
    assert (revoked["widget_key"], revoked["old_widget_key"]) == (second, None)
    assert (_answers(halo, first), _answers(halo, second)) == (False, True)


def test_no_more_than_two_widget_keys_work(halo: Console) -> None:
    """A second rotation and a second revocation are refused; each says why."""
    said = halo("org", "rotate-widget-key", halo.org, "--revoke-old", status=1)
    assert said == f"Error: No old widget key of ‘{halo.org}’ works; there is nothing to revoke.\n"
    before = halo.json("org", "rotate-widget-key", halo.org)
    said = halo("org", "rotate-widget-key", halo.org, status=1)
    assert said == (
        f"Error: The widget key before this one of ‘{halo.org}’ still works; revoke it first.\n"
    )
    assert halo.json("org", "show", halo.org) == before
    missing = halo.json("org", "rotate-widget-key", "nobody", status=1)
    assert missing["refused"]["code"] == "unknown_organisation"
