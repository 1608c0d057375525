"""`halo fields`, `halo events` and `halo contacts list`: what there is to filter and find."""

from tests.cli.console import Console


def test_fields_with_their_values(halo: Console) -> None:
    """Fields with values are listed; `--all` adds the others."""
    for user, plan in (("ann", "pro"), ("bob", "pro"), ("cyd", "free")):
        halo("identify", user, "--trait", f"plan={plan}")
    halo("list", "create", "news")
    printed = halo("fields").splitlines()
    assert printed[0] == "3 of 3 contacts were looked at"
    [drawn] = [" ".join(line.split()) for line in printed if line.startswith("custom:plan")]
    assert drawn == "custom:plan string is, is_not, contains, is_set, is_empty 3 pro (2), free (1)"
    assert printed[-1].split() == ["news", "0"]
    assert "mrr " not in "\n".join(printed)
    assert [line for line in halo("fields", "--all").splitlines() if line.startswith("mrr ")]
    [found] = [each for each in halo.json("fields")["fields"] if each["field"] == "custom:plan"]
    assert found["values"][0] == {"value": "pro", "contacts": 2}


def test_events_with_how_often_they_fired(halo: Console) -> None:
    """The most frequent come first; without events there is a hint."""
    assert halo("events") == "No event has fired yet; `halo track` fires one.\n"
    halo("identify", "ann")
    for event in ("login", "login", "paid"):
        halo("track", "ann", event)
    assert [(each["event"], each["count"]) for each in halo.json("events")] == [
        ("login", 2),
        ("paid", 1),
    ]
    assert halo("events").splitlines()[1].split()[:3] == ["login", "2", "1"]


def test_contacts_by_name_and_by_audience(halo: Console) -> None:
    """The audience is a series file's, or stands alone in a file."""
    for user, plan in (("ann", "pro"), ("anna", "free"), ("bob", "pro")):
        halo("identify", user, "--trait", f"plan={plan}")
    listed = [each["external_id"] for each in halo.json("contacts", "list", "ann")["contacts"]]
    assert sorted(listed) == ["ann", "anna"]
    filters = "audience_filters: [{field: plan, operator: is, value: pro}]"
    alone = halo.file("audience.yaml", filters)
    found = halo.json("contacts", "list", "--audience", alone)["contacts"]
    assert sorted(each["external_id"] for each in found) == ["ann", "bob"]
    series = halo.file(
        "series.yaml",
        f"""\
        series:
          a: {{entry_trigger: manual, audience_type: segment, {filters}}}
          b: {{entry_trigger: manual}}
        """,
    )
    found = halo.json("contacts", "list", "b", "--audience", series, "--series", "a")["contacts"]
    assert [each["external_id"] for each in found] == ["bob"]
    said = halo("contacts", "list", "--audience", series, status=1)
    assert said == f"Error: {series}: name one; there are a, b\n"


def test_pages_of_contacts(halo: Console) -> None:
    """The line below a page says how to get the next."""
    for user in ("ann", "bob"):
        halo("identify", user)
    first = halo("contacts", "list", "--size", "1").splitlines()
    second = halo("contacts", "list", "--size", "1", *first[-1].removeprefix("more with ").split())
    assert (first[1].split()[0], second.splitlines()[1].split()[0]) == ("bob", "ann")


def test_an_audience_file_that_is_none(halo: Console) -> None:
    """A malformed audience file is refused with the place; so is a file without either key."""
    file = halo.file("audience.yaml", "contact_type: users\naudience_filter: []")
    said = halo("contacts", "list", "--audience", file, status=1)
    assert said.startswith(
        f"Error: {file}, line 2, column 1: audience_filter: unknown key; allowed"
    )
