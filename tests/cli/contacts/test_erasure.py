"""`halo contacts erase` and `halo org erase`: permanent, and only after a confirmation."""

from tests.cli.console import Console


def test_contact_is_erased(halo: Console) -> None:
    """An erased contact is unknown."""
    id_ = halo.json("identify", "ann")["id"]
    assert halo("contacts", "erase", "ann", "--yes") == f"{id_} is erased.\n"
    said = "Error: There is no contact ‘ann’.\n"
    assert halo("contacts", "show", "ann", status=1) == said
    assert halo("contacts", "erase", "ann", "--yes", status=1) == said


def erasing(halo: Console, *names: str) -> str:
    """Write a file of contacts, and return its path."""
    return halo.file("gone.txt", "\ufeff" + "\n\n".join(names) + "\n")


def test_a_file_is_erased_after_its_numbers_are_shown(halo: Console) -> None:
    """Numbers come first, then the question; unknown identifiers are listed by line."""
    for name in ("ann", "ben", "cat"):
        halo("identify", name)
    file = erasing(halo, "ann", "nobody", "ben", "ann")
    unknown = "1 identifiers name nobody, or somebody who is erased:\n  line 3: nobody\n"
    numbers = f"and with them\n  0 runs, 0 mails, 0 events\n{unknown}"
    tried = halo("contacts", "erase", "--file", file, "--dry-run", status=1)
    assert tried == f"2 contacts would be erased, {numbers}"
    said = halo("contacts", "erase", "--file", file, stdin="n\n", status=1)
    assert said.startswith(f"2 contacts will be erased, {numbers}This cannot be undone.")
    assert len(halo.json("contacts", "list")["contacts"]) == 3
    said = halo("contacts", "erase", "--file", file, stdin="y\n", status=1)
    assert said.endswith(f"2 contacts erased, {numbers}")
    assert [each["external_id"] for each in halo.json("contacts", "list")["contacts"]] == ["cat"]


def test_a_file_of_many_needs_a_number(halo: Console) -> None:
    """`--confirm N` erases N at most and does not ask; `--yes` is enough for a hundred."""
    for name in ("ann", "ben"):
        halo("identify", name)
    file = erasing(halo, "ann", "ben")
    said = halo("contacts", "erase", "--file", file, "--confirm", "1", status=1)
    assert said == (
        "Error: The file names 2 contacts; 1 were expected. Allowed is to expect more of them "
        "(--confirm).\n"
    )
    erased = halo.json("contacts", "erase", "--file", file, "--confirm", "2")
    assert (erased["contacts"], erased["unknown"]) == (2, 0)
    again = halo.json("contacts", "erase", "--file", file, "--yes", status=1)
    assert (again["contacts"], [each["line"] for each in again["unknown_lines"]]) == (0, [1, 3])


def test_a_file_that_names_no_contacts_is_refused(halo: Console) -> None:
    """A line that can be no identifier is named, and nothing is erased."""
    halo("identify", "ann")
    said = halo("contacts", "erase", "--file", erasing(halo, "ann", "x" * 256), "--yes", status=1)
    assert said.startswith("Error: line 3: ")
    said = halo("contacts", "erase", status=2)
    assert said.endswith("Name a CONTACT or a --file, one of them.\n")
    assert halo.json("contacts", "show", "ann")["user_id"] == "ann"


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
