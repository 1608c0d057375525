"""`halo contacts`, `halo identify`, `halo track` and `halo list`: the doors as commands."""

import re

import pytest

from tests.cli.console import Console

PEOPLE = """\
    ID,Email,Name,Plan,Notes
    ann,ann@a.example,Ann,pro,kept aside
    ,lead@a.example,Lee,,
    bob,not an address,Bob,free,
    ann,ann@a.example,Anna,,
"""
MAPPED = ("--map", "ID=external_id", "--map", "Email=email", "--map", "Name=name")
SERIES = """\
    series:
      s:
        entry_trigger: manual
        steps: [{key: a, delay: 3d, email: {subject: A, body: A}}]
"""
SECRET = "a secret of no less than 32 bytes"


def test_import_says_what_became_of_the_rows(halo: Console) -> None:
    """Rows are imported; bad ones are listed by line and reason, and the exit status is 1."""
    file = halo.file("people.csv", PEOPLE)
    assert halo("contacts", "import", file, *MAPPED, "--map", "Plan=custom:plan", status=1) == (
        "2 created, 1 updated, 1 left out\n"
        "  line 4: traits.email: ‘not an address’ is not an email address; allowed is one such as "
        "ann@acme.com\n"
    )
    ann = halo.json("contacts", "show", "ann")
    assert (ann["source"], ann["traits"]) == ("csv", {"name": "Anna", "plan": "pro"})
    assert halo.json("contacts", "show", "lead@a.example")["contact_type"] == "lead"


def test_import_for_programs(halo: Console) -> None:
    """With `--json` the answer is the door's own, bad rows included."""
    file = halo.file("people.csv", PEOPLE)
    answer = halo.json("contacts", "import", file, *MAPPED, status=1)
    [bad] = answer.pop("errors")
    assert (bad["line"], bad["code"]) == (4, "bad_email")
    counted = {"created": 2, "updated": 1, "bad": 1, "done_before": 0, "warnings": []}
    assert answer == {**counted, "bad_cells": 0, "cell_errors": []}


def test_import_goes_page_by_page(halo: Console) -> None:
    """A file of several pages is imported whole, each row once."""
    rows = "".join(f"u{n},u{n}@a.example\n" for n in range(2500))
    file = halo.file("many.csv", "ID,Email\n" + rows)
    printed = halo("contacts", "import", file, "--map", "ID=external_id", "--map", "Email=email")
    assert printed == "2500 created, 0 updated, 0 left out\n"


def test_import_refuses_a_column_with_two_fields(halo: Console) -> None:
    """Otherwise one of the two would be lost."""
    file = halo.file("people.csv", "ID,Name\nann,Ann\n")
    twice = ("--map", "ID=external_id", "--map", "ID=name")
    assert halo("contacts", "import", file, *twice, status=1) == (
        "Error: map: ‘ID’ is mapped twice; allowed is one field for a column\n"
    )


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("ID", "map: ‘ID’ is no mapping; allowed is COLUMN=FIELD"),
        ("ID=nickname", "mapping: ‘nickname’ is no field; allowed are external_id, name, email"),
        ("Id=external_id", "mapping: the file has no column ‘Id’; it has ‘ID’, ‘Email’"),
    ],
)
def test_import_refuses_a_mapping(halo: Console, mapping: str, said: str) -> None:
    """An unknown field or column is refused before anything is written."""
    file = halo.file("people.csv", PEOPLE)
    printed = halo("contacts", "import", file, "--map", mapping, status=1)
    assert printed.startswith(f"Error: {said}")
    assert halo("contacts", "show", "ann", status=1) == "Error: There is no contact ‘ann’.\n"


def test_import_of_a_file_that_is_not_there(halo: Console) -> None:
    """A missing file is a 404."""
    said = "Error: There is no file ‘nowhere.csv’.\n"
    assert halo("contacts", "import", "nowhere.csv", *MAPPED, status=1) == said


def test_show_tells_what_is_known_of_a_contact(halo: Console) -> None:
    """IDs, traits, context, lists, events and series are shown together."""
    halo("identify", "ann", "--trait", "email=ann@a.example", "--trait", "mrr=1200")
    halo("track", "ann", "signed_in")
    halo("list", "create", "news")
    halo("list", "subscribe", "ann", "news")
    halo("series", "apply", halo.file("s.yaml", SERIES))
    halo("series", "activate", "s")
    halo.work()
    printed = halo("contacts", "show", "ann")
    printed = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "INSTANT", printed)
    assert re.sub(r"[0-9a-f-]{36}", "UUID", printed) == (
        "user ID         ann\n"
        "email           ann@a.example\n"
        "id              UUID\n"
        "type            user, from sdk\n"
        "company         -\n"
        "customer for    less than a day\n"
        "first seen      INSTANT\n"
        "last seen       INSTANT\n"
        "last contacted  -\n"
        "lists           news\n"
        "\n"
        "trait  value\n"
        "mrr    1200\n"
        "\n"
        "event      times  last\n"
        "signed_in      1  INSTANT\n"
        "\n"
        "series  number  enrolled              stands\n"
        "s       1       INSTANT  at step a, due INSTANT\n"
    )


def test_show_says_why_a_contact_gets_no_mail(halo: Console) -> None:
    """A suppressed address is marked."""
    halo("identify", "ann", "--trait", "email=ann@a.example")
    assert halo("list", "unsubscribe", "ann") == "ann is unsubscribed from everything now.\n"
    assert "\nemail           ann@a.example (unsubscribed)\n" in halo("contacts", "show", "ann")
    assert halo.json("contacts", "show", "ann")["suppressed"] == "unsubscribed"


def test_identify_reads_values_as_json_or_text(halo: Console) -> None:
    """Numbers, booleans and null are read as JSON; everything else is text."""
    given = ("seats=12", "beta=true", "zip=0123", "role=null", 'code="7"', "note=a: b=c", "x=NaN")
    halo("identify", "ann", *(part for each in given for part in ("--trait", each)))
    assert halo.json("contacts", "show", "ann")["traits"] == {
        "seats": 12,
        "beta": True,
        "zip": "0123",
        "role": None,
        "code": "7",
        "note": "a: b=c",
        "x": "NaN",
    }


def test_identify_says_whether_the_user_is_new(halo: Console) -> None:
    """The first call creates the user, the second finds it; a refusal is one line."""
    assert halo("identify", "ann").startswith("ann was created: ")
    assert halo("identify", "ann").startswith("ann is known: ")
    assert halo("identify", "ann", "--trait", "id=1", status=1).startswith(
        "Error: traits: id cannot be set; Halo manages id, "
    )
    assert halo("identify", "ann", "--trait", "plan", status=1) == (
        "Error: trait: ‘plan’ is no pair; allowed is NAME=VALUE\n"
    )


def test_identify_is_signed_where_verification_is_on(bare: Console) -> None:
    """The command signs with the organisation's secret."""
    bare("org", "create", "acme", "--identity-secret", SECRET)
    assert bare.json("identify", "ann", "--trait", "plan=pro")["stored"]["traits"]["plan"] == "pro"


def test_track_an_event(halo: Console) -> None:
    """An event counts at its instant; an unknown user is refused."""
    halo("identify", "ann")
    printed = halo("track", "ann", "paid", "--timestamp", "2026-06-01", "--property", "sum=3")
    assert printed == "paid was tracked at 2026-06-01T00:00:00.000000+00:00\n"
    [event] = halo.json("contacts", "show", "ann")["events"]
    assert event == {
        "event": "paid",
        "count": 1,
        "last_at": "2026-06-01T00:00:00.000000+00:00",
    }
    assert halo("track", "eve", "paid", status=1) == "Error: There is no contact ‘eve’.\n"


def test_lists(halo: Console) -> None:
    """A list is created once; contacts subscribe and unsubscribe."""
    assert halo("list", "create", "news") == "news is an empty list now.\n"
    assert halo("list", "create", "news", status=1) == "Error: There is a list ‘news’ already.\n"
    halo("identify", "ann", "--trait", "email=ann@a.example")
    assert halo("list", "subscribe", "ann", "news") == "ann is on news now.\n"
    printed = halo("list", "change", "news", "--name", "News", "--default")
    assert printed == (
        "list  name  joined        subscribers  pending\n"
        "news  News  when created            1        0\n"
    )
    assert halo("list", "change", "x", status=1) == "Error: There is no list ‘x’.\n"
    assert halo("list", "unsubscribe", "ann", "news") == "ann is off news now.\n"
    halo("list", "change", "news", "--name", "", "--no-default")
    assert halo("list", "change", "news", "--double-opt-in")
    asked = halo("list", "subscribe", "ann", "news")
    assert asked == "ann is asked by mail to confirm news.\n"
    assert halo.json("list", "list") == [
        {
            "list": "news",
            "name": None,
            "description": None,
            "default": False,
            "double_opt_in": True,
            "subscribers": 0,
            "pending": 1,
        }
    ]
    assert "news (to be confirmed)" in halo("contacts", "show", "ann")
    confirmed = halo("list", "subscribe", "ann", "news", "--confirmed")
    assert confirmed == "ann is on news now.\n"
    assert halo("list", "subscribe", "ann", "x", status=1) == "Error: There is no list ‘x’.\n"


def test_a_suppression_is_lifted_by_name(halo: Console) -> None:
    """The answer says what was lifted, a reason is required, and the profile changes."""
    halo("identify", "ann", "--trait", "email=ann@a.example")
    halo("list", "unsubscribe", "ann")
    assert "ann@a.example (unsubscribed)" in halo("contacts", "show", "ann")
    halo("contacts", "unsuppress", "ann", status=2)
    printed = halo("contacts", "unsuppress", "ann", "--because", "asked by phone")
    assert re.fullmatch(r"ann: gets mail again; it was unsubscribed at \S+\n", printed)
    assert halo("contacts", "unsuppress", "ann", "--because", "again") == (
        "ann: nothing suppressed it.\n"
    )
    assert halo.json("contacts", "show", "ann")["suppressed"] is None
