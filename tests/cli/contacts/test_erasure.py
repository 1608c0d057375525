"""`halo contacts erase` and `halo org erase`: permanent, and only after a confirmation."""

from tests.cli.console import Console


def test_contact_is_erased(halo: Console) -> None:
    """An erased contact is unknown."""
    id_ = halo.json("identify", "ann")["id"]
    assert halo("contacts", "erase", "ann", "--yes") == f"{id_} is erased.\n"
    said = "Error: There is no contact ‘ann’.\n"
    assert halo("contacts", "show", "ann", status=1) == said
    assert halo("contacts", "erase", "ann", "--yes", status=1) == said


def test_organization_is_erased(halo: Console) -> None:
    """The organisation's contacts are gone too, and its key is free again."""
    halo("identify", "ann")
    erased = halo.json("org", "erase", halo.org, "--yes")
    assert erased["org"] == halo.org
    assert erased["rows"] >= 3
    said = f"Error: There is no organisation ‘{halo.org}’.\n"
    assert halo("org", "erase", halo.org, "--yes", status=1) == said
    halo("org", "create", halo.org)
    assert halo.json("contacts", "show", "ann", status=1)["refused"]["code"] == "unknown_contact"


def test_nothing_is_erased_unless_somebody_is_sure(halo: Console) -> None:
    """Without a confirmation, or `--yes`, nothing is erased."""
    halo("identify", "ann")
    for command in (("contacts", "erase", "ann"), ("org", "erase", halo.org)):
        assert "Aborted!" in halo(*command, status=1)
    assert halo.json("contacts", "show", "ann")["user_id"] == "ann"


def test_an_unknown_name_is_refused_before_the_confirmation(halo: Console) -> None:
    """Nobody has to be sure about somebody who is not there."""
    assert halo("contacts", "erase", "nobody", status=1) == (
        "Error: There is no contact ‘nobody’.\n"
    )
    said = halo("org", "erase", "nowhere", status=1)
    assert said == "Error: There is no organisation ‘nowhere’.\n"
