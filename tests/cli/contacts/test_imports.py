"""`halo contacts import`: files from other programs, dry runs, suggested mappings (contract §2)."""

import shlex

from tests.cli.console import Console

SERIES = """\
    series:
      hello:
        entry_trigger: user_created
        steps: [{key: a, delay: 3d, email: {subject: A, body: A}}]
      pros:
        entry_trigger: segment_match
        audience_type: segment
        audience_filters: [{field: plan, operator: is, value: pro}]
        steps: [{key: a, delay: 3d, email: {subject: A, body: A}}]
"""
MAPPED = ("--map", "id=external_id", "--map", "e=email", "--map", "plan=plan")


def test_a_dry_run_says_what_would_be_done_and_started(halo: Console) -> None:
    """It counts contacts, series that would start now or later, and bad rows; it writes nothing."""
    halo("series", "apply", halo.file("s.yaml", SERIES))
    halo("series", "activate", "hello")
    halo("series", "activate", "pros")
    file = halo.file("people.csv", "id;e;plan\nann;ann@a.example;pro\nbob;nowhere;pro\nann;;pro\n")
    assert halo("contacts", "import", file, *MAPPED, "--dry-run", status=1) == (
        "would be: 1 created, 1 updated, 1 left out\n"
        "  would start series hello: 1\n"
        "  would start series pros at its next re-evaluation: 1\n"
        "  line 3: traits.email: ‘nowhere’ is not an email address; allowed is one such as "
        "ann@acme.com\n"
    )
    assert halo("contacts", "show", "ann", status=1) == "Error: There is no contact ‘ann’.\n"
    answer = halo.json("contacts", "import", file, *MAPPED, "--dry-run", status=1)
    assert (answer["dry_run"], answer["starts"]) == (True, {"hello": 1})
    assert (answer["starts_later"], answer["rows"], answer["tried"]) == ({"pros": 1}, 3, 3)
    assert answer["leaves"] == {}


def test_without_a_mapping_the_command_to_run_is_printed(halo: Console) -> None:
    """The printed command can be run as it is; columns without a field are listed below it."""
    header = "Email Address;First Name;O'Name;OPTIN_TIME"
    file = halo.file("my people.csv", f"{header}\nann@a.example;Ann;x;2018-10-11 09:55:14\n")
    printed = halo("contacts", "import", file)
    assert printed == (
        f"halo contacts import {shlex.quote(file)} \\\n"
        "  --map 'Email Address=email' \\\n"
        "  --map 'First Name=first_name' \\\n"
        "  --map OPTIN_TIME=signed_up_at\n"
        "# not mapped: O'Name\n"
        "# a column becomes a custom field by --map COLUMN=custom:NAME\n"
    )
    _, *typed = shlex.split(printed.replace("\\\n", ""), comments=True)
    assert halo(*typed) == "1 created, 0 updated, 0 left out\n"
    shown = halo.json("contacts", "show", "ann@a.example")["traits"]
    assert shown == {"name": "Ann", "signed_up_at": "2018-10-11T09:55:14.000000+00:00"}
    answer = halo.json("contacts", "import", file, "--separator", ";")
    assert (answer["not_mapped"], answer["mapping"]["OPTIN_TIME"]) == (["O'Name"], "signed_up_at")
    assert "--separator ';'" in answer["command"]


def test_options_say_how_a_file_is_written(halo: Console) -> None:
    """Encoding, separator, dates, words for empty cells, number of rows."""
    file = halo.folder / "people.csv"
    file.write_bytes("id^d^n\nann^31.01.2024^Jörg\nbob^-^-\ncyd^^\n".encode("latin-1"))
    read = ("--separator", "^", "--encoding", "latin-1", "--empty", "-", "--empty", "NULL")
    mapped = ("--map", "id=external_id", "--map", "d=signed_up_at", "--map", "n=name")
    dated = ("--date-format", "d=DD.MM.YYYY", "--most", "2")
    printed = halo("contacts", "import", str(file), *mapped, *read, *dated)
    assert printed == "2 created, 0 updated, 0 left out\n"
    assert halo.json("contacts", "show", "ann")["traits"] == {
        "name": "Jörg",
        "signed_up_at": "2024-01-31T00:00:00.000000+00:00",
    }
    assert halo.json("contacts", "show", "bob")["traits"] == {}


def test_leniently_cells_are_left_out_and_named(halo: Console) -> None:
    """Rows with such cells are imported, the cells are named, and the exit status is 0."""
    file = halo.file("people.csv", "id,e,plan\nann,nowhere,pro\n")
    assert halo("contacts", "import", file, *MAPPED, "--lenient") == (
        "1 created, 0 updated, 0 left out\n"
        "  line 2, e left out: traits.email: ‘nowhere’ is not an email address; allowed is one "
        "such as ann@acme.com\n"
    )


def test_a_column_that_is_not_there_names_those_that_are(halo: Console) -> None:
    """Similar columns come first; the same holds for date formats."""
    file = halo.file("people.csv", "Name,Plan,E-mail\nAnn,pro,ann@a.example\n")
    printed = halo("contacts", "import", file, "--map", "Email=email", status=1)
    said = "mapping: the file has no column ‘Email’; it has ‘E-mail’, ‘Name’, ‘Plan’"
    assert printed == f"Error: {said}\n"
    options = ("--map", "E-mail=email", "--date-format", "Since=DD.MM.YYYY")
    printed = halo("contacts", "import", file, *options, status=1)
    assert printed.startswith("Error: date_format: the file has no column ‘Since’; it has ")


def test_a_dry_run_of_a_file_that_is_not_there_says_so(halo: Console) -> None:
    """A missing file is a 404, as in an import; a folder cannot be read twice."""
    missing = str(halo.folder / "none.csv")
    for options in ((), ("--dry-run",)):
        printed = halo("contacts", "import", missing, *MAPPED, *options, status=1)
        assert printed.startswith("Error: There is no file ‘")
    printed = halo("contacts", "import", str(halo.folder), *MAPPED, "--dry-run", status=1)
    assert printed.endswith("cannot be read twice; allowed with --dry-run is a file\n")
