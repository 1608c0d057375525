"""CSV import and the CSV that the engine writes (contract §2, CSV import)."""

import csv
import io
import time
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halo_engine.contacts.csv_import.export import write_csv
from halo_engine.contacts.csv_import.importing import (
    ImportCsvAnswer,
    ImportCsvCall,
    import_csv,
    import_page,
)
from halo_engine.contacts.csv_import.mapping import columns_of
from halo_engine.contacts.csv_import.rows import CsvOptions, pages
from halo_engine.contacts.csv_import.text import LONGEST_ROW, open_csv
from halo_engine.domain.errors import Refusal, validated
from halo_engine.tables import audience_fields, end_users
from halo_engine.work import Work
from tests.contacts.sandbox import EARLIER, NOW, add_contact, rows, statements, written_signals
from tests.model.world import World

MAPPING = {"ID": "external_id", "Email": "email", "Name": "name", "Plan": "plan"}
HOW = CsvOptions(mapping=MAPPING)


def imported(
    work: Work, *lines: str, mapping: dict[str, str] | None = None, header: str | None = None
) -> ImportCsvAnswer:
    """Import lines under a header of ID, Email, Name and Plan, unless it is another."""
    text = "\r\n".join([header or "ID,Email,Name,Plan", *lines, ""])
    call = {"text": text, "mapping": MAPPING if mapping is None else mapping}
    return import_csv(work, validated(ImportCsvCall, call, "import"))


def counts(answer: ImportCsvAnswer) -> tuple[int, int, list[int]]:
    """Return what an answer counts, and the lines of its errors."""
    return answer.created, answer.updated, [each.line for each in answer.errors]


# The row of the doors' table: creates (`csv`), never bumps existing ones; new → `user_created`.


def test_new_rows_become_contacts(work: Work) -> None:
    """A row with an external ID creates a user, one without a lead, each with a signal."""
    answer = imported(work, "ann,ann@a.example,Ann,pro", ",lea@a.example,,")
    assert answer.model_dump(mode="json") == {
        "created": 2,
        "updated": 0,
        "bad": 0,
        "errors": [],
        "bad_cells": 0,
        "cell_errors": [],
        "warnings": [],
    }
    names = ("external_id", "contact_type", "source", "email", "name", "custom_fields", "last_seen")
    assert rows(work, end_users, *names) == [
        ("ann", "user", "csv", "ann@a.example", "Ann", {"plan": "pro"}, NOW),
        (None, "lead", "csv", "lea@a.example", None, {}, NOW),
    ]
    ids = [contact for (contact,) in rows(work, end_users, "id")]
    assert written_signals(work) == [("created", each, []) for each in ids]
    assert rows(work, audience_fields, "key", "type") == [("plan", "string")]


def test_known_rows_change_in_silence(work: Work) -> None:
    """A known contact is merged in silence and not bumped; an empty cell keeps its field."""
    ann = add_contact(work, "ann", email="ann@a.example", name="Ann", custom_fields={"plan": "x"})
    assert counts(imported(work, "ann,,,pro")) == (0, 1, [])
    assert rows(work, end_users, "email", "name", "custom_fields", "source", "last_seen") == [
        ("ann@a.example", "Ann", {"plan": "pro"}, "sdk", EARLIER)
    ]
    assert written_signals(work) == [("silent", ann, ["custom:plan"])]


def test_a_new_contact_is_seen_at_its_sign_up(work: Work) -> None:
    """A new contact with a mapped ``signed_up_at`` was first seen then."""
    header, mapping = "ID,Since", {"ID": "external_id", "Since": "signed_up_at"}
    imported(work, "ann,2023-04-12", header=header, mapping=mapping)
    signup = datetime(2023, 4, 12, tzinfo=UTC)
    assert rows(work, end_users, "first_seen", "last_seen", "created_at") == [(signup, signup, NOW)]


# Matching.


def test_rows_match_by_external_id_else_by_email(work: Work) -> None:
    """A row matches by external ID, else by email."""
    ann = add_contact(work, "ann", email="ann@a.example")
    lea = add_contact(work, None, email="lea@a.example")
    ben = add_contact(work, "ben", email="ben@a.example")
    answer = imported(
        work,
        "lea,LEA@a.example,,",
        ",ben@a.example,By email,",
        "ann,ben@a.example,By id,",
    )
    assert counts(answer) == (0, 3, [])
    assert rows(work, end_users, "id", "external_id", "email", "name") == [
        (ann, "ann", "ben@a.example", "By id"),
        (lea, "lea", "LEA@a.example", None),
        (ben, "ben", "ben@a.example", "By email"),
    ]


def test_two_users_of_one_address_are_two_contacts(work: Work) -> None:
    """A new external ID makes a contact whoever has its address, in the file or before it."""
    add_contact(work, "ann", email="us@a.example", name="Ann")
    answer = imported(work, "ben,us@a.example,Ben,", "cyd,US@a.example,Cyd,", ",us@a.example,,pro")
    assert counts(answer) == (2, 1, [])
    assert rows(work, end_users, "external_id", "email", "name", "custom_fields") == [
        ("ann", "us@a.example", "Ann", {"plan": "pro"}),
        ("ben", "us@a.example", "Ben", {}),
        ("cyd", "US@a.example", "Cyd", {}),
    ]


def test_the_lead_of_an_address_becomes_one_user_alone(work: Work) -> None:
    """The first external ID with a lead's address promotes it; the next one is another contact."""
    lea = add_contact(work, None, email="us@a.example")
    assert counts(imported(work, "ben,us@a.example,Ben,", "cyd,us@a.example,Cyd,")) == (1, 1, [])
    [first, second] = rows(work, end_users, "id", "external_id", "name")
    assert (first, second[1:]) == ((lea, "ben", "Ben"), ("cyd", "Cyd"))


def test_a_lead_that_gets_an_external_id_is_promoted_in_silence(work: Work) -> None:
    """A promoted lead keeps its row, without a signal: an import enrolls new contacts alone."""
    lea = add_contact(work, None, email="lea@a.example")
    imported(work, "lea,lea@a.example,,")
    assert rows(work, end_users, "id", "contact_type") == [(lea, "user")]
    assert written_signals(work) == [("silent", lea, ["external_id", "contact_type"])]


def test_a_file_makes_no_duplicates_within_itself(work: Work) -> None:
    """The same person, by id, by email, then by both, is one contact; later cells win."""
    answer = imported(
        work,
        ",ann@a.example,Ann,",
        ",ANN@a.example,,free",
        "ann,ann@a.example,,pro",
        "ann,,Ann Lee,",
        ",ben@a.example,,",
    )
    assert counts(answer) == (2, 3, [])
    assert rows(work, end_users, "external_id", "email", "name", "custom_fields") == [
        ("ann", "ann@a.example", "Ann Lee", {"plan": "pro"}),
        (None, "ben@a.example", None, {}),
    ]


def test_an_address_that_was_left_is_looked_up_again(work: Work) -> None:
    """When a row moves a contact to another email, the next contact with its old email is found."""
    for name in ("ann", "ben"):
        add_contact(work, name, email="shared@a.example")
    answer = imported(work, "ann,new@a.example,,", ",shared@a.example,Ben,", ",new@a.example,Ann,")
    assert counts(answer) == (0, 3, [])
    assert rows(work, end_users, "external_id", "email", "name") == [
        ("ann", "new@a.example", "Ann"),
        ("ben", "shared@a.example", "Ben"),
    ]


# Cells.


def test_cells_are_read_as_their_field_wants_them(work: Work) -> None:
    """A cell is read as its column's type; a custom field's cell is read as JSON."""
    mapping = {
        "ID": "external_id",
        "MRR": "mrr",
        "ARR": "arr",
        "Contract": "on_contract",
        "Renewal": "renewal_status",
        "Size": "custom:size",
    }
    header = ",".join(mapping)
    imported(work, "ann,4900,1e3,TRUE,at_risk,12", header=header, mapping=mapping)
    names = ("mrr", "arr", "on_contract", "renewal_status", "custom_fields")
    assert rows(work, end_users, *names) == [(4900, 1000, True, "at_risk", {"size": 12})]


def test_a_word_for_nothing_is_no_id(work: Work) -> None:
    """A word that is said to mean an empty cell leaves a lead; an ID may have blanks."""
    mapping = {"id": "external_id", "e": "email"}
    text = "id,e,seats\nNULL,ann@c.example,\nAnn von Berg,,5\nAnn Lee,,\n"
    answer = import_csv(work, ImportCsvCall(text=text, mapping=mapping, empty=["NULL"]))
    assert answer.errors == ()
    assert rows(work, end_users, "external_id", "email") == [
        (None, "ann@c.example"),
        ("Ann von Berg", None),
        ("Ann Lee", None),
    ]


def test_quotes_newlines_and_unmapped_columns(work: Work) -> None:
    """RFC 4180 is read; a byte-order mark belongs to no name; unmapped columns are ignored."""
    header = "\ufeffID,Comment,Name,Email,Plan"
    answer = imported(work, 'ann,"a\r\nb","Lee, ""Ann""",,pro', "ben", "", header=header)
    assert counts(answer) == (2, 0, [])
    assert rows(work, end_users, "external_id", "name", "custom_fields") == [
        ("ann", 'Lee, "Ann"', {"plan": "pro"}),
        ("ben", None, {}),
    ]


def test_a_quote_that_is_not_closed_is_no_contact(work: Work) -> None:
    """A row with an unclosed quote, or with text after a quote, is refused: its meaning is
    unknown.
    """
    answer = imported(work, 'ann,,"An"n,', 'ben,,5" pipe,pro', '"cyd', "dee,dee@a.example,Dee,pro")
    assert counts(answer) == (1, 0, [2, 4])
    assert [each.message for each in answer.errors] == [
        "row: is not CSV: ',' expected after '\"'",
        "row: is not CSV: unexpected end of data (lines 4 to 5 are left out)",
    ]
    assert rows(work, end_users, "external_id", "name") == [("ben", '5" pipe')]


def test_bad_rows_are_reported_by_line_and_the_rest_goes_in(work: Work) -> None:
    """Bad rows are reported by their first line, the header being line 1; the others are
    imported.
    """
    mapping = {**MAPPING, "MRR": "mrr"}
    answer = imported(
        work,
        "ann,ann@a.example,,,1",
        ",,Nobody,pro,",
        "ben,not an email,,,",
        'cyd,,"two\r\nlines",,much',
        "dee,,,,5,6",
        f"{'x' * 256},,,,",
        "fay,,a\0b,,",
        "gus,,,,1",
        header="ID,Email,Name,Plan,MRR",
        mapping=mapping,
    )
    assert (answer.created, answer.updated, answer.bad) == (2, 0, 6)
    assert [(each.line, each.code, each.message) for each in answer.errors] == [
        (3, "bad_row", "row: names nobody; needed is an external_id or an email"),
        (
            4,
            "bad_email",
            (
                "traits.email: ‘not an email’ is not an email address; allowed is one such as "
                "ann@acme.com"
            ),
        ),
        (
            5,
            "bad_trait",
            "traits.mrr: ‘much’ is refused; allowed is a number, such as 4900 or 12.5",
        ),
        (7, "bad_row", "row: has 6 cells; allowed are 5, as in the header"),
        (
            8,
            "bad_id",
            f"external_id: ‘{'x' * 59}…’ is refused; allowed are 1 to 255 characters, not blank",
        ),
        (
            9,
            "bad_text",
            (
                "traits.name: ‘a\\x00b’ cannot be stored; allowed is text without NUL or lone "
                "surrogates"
            ),
        ),
    ]
    assert rows(work, end_users, "external_id") == [("ann",), ("gus",)]


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"ID": "user_id"}, "‘user_id’ is no field; allowed are external_id, name, email, "),
        ({"ID": "created_at"}, "‘created_at’ is no field; "),
        ({"ID": "custom:"}, "‘’ is not a name; "),
        ({"ID": "custom:email"}, "‘custom:email’ is no field; "),
        ({"ID": "custom:org_id"}, "‘custom:org_id’ is no field; "),
        ({"Id": "external_id"}, "the file has no column ‘Id’; it has ‘ID’, ‘Email’, ‘Name’"),
        ({"Name": "name"}, "the file has 2 columns ‘Name’; allowed is one"),
        ({"ID": "email", "Email": "email"}, "‘email’ is mapped twice; "),
        ({"ID": "plan", "Email": "custom:plan"}, "‘custom:plan’ is mapped twice; "),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(
    work: Work, mapping: dict[str, str], problem: str
) -> None:
    """A mapping that does not fit is a 400 that says why, and no row is imported."""
    with pytest.raises(Refusal) as raised:
        imported(work, "ann,ann@a.example,,", header="ID,Email,Name,Name", mapping=mapping)
    assert raised.value.status == 400
    assert raised.value.message.startswith(f"mapping: {problem}")
    assert rows(work, end_users, "id") == []


def test_a_mapping_of_many_columns_takes_no_time() -> None:
    """A header may have as many columns as a row may have characters."""
    names = [f"c{index}" for index in range(20_000)]
    began = time.process_time()
    columns = columns_of(names, {name: f"custom:{name}" for name in names}, {})
    assert [each.index for each in columns] == list(range(20_000))
    assert time.process_time() - began < 5


def test_a_file_is_read_with_its_faults(work: Work, tmp_path: Path) -> None:
    """Invalid UTF-8, or an endless line, refuses only its own row."""
    path = tmp_path / "contacts.csv"
    long = b"ben," + b"x" * (2 * LONGEST_ROW)
    path.write_bytes(b"\xef\xbb\xbfID,Name\nann,Ann\nbad,\xff\n" + long + b"\ncyd,Cyd\n")
    mapping = {"ID": "external_id", "Name": "name"}
    with open_csv(path) as file:
        [page] = pages(work.org, file, CsvOptions(mapping=mapping))
    assert import_page(work, page).were_new == [True, True]
    assert [each.line for each in page.errors] == [3, 4]
    assert rows(work, end_users, "external_id") == [("ann",), ("cyd",)]


# Bad cells.


def test_leniently_a_bad_cell_is_left_out_alone(work: Work) -> None:
    """Leniently, a bad cell is left out and reported by line and column, unless it identifies the
    contact.
    """
    header = "ID,Email,MRR,Since,News"
    mapping = {"ID": "external_id", "Email": "email", "MRR": "mrr", "Since": "signed_up_at"}
    lines = [
        "ann,nowhere,much,2024-02-30,x",
        "ben,ben@a.example,12,2024-02-28,x",
        ",cyd@,3,,x",
        f"{'x' * 256},,1,,x",
        "dee,,5,6,7,8",
    ]
    text = "\n".join([header, *lines])
    answer = import_csv(work, ImportCsvCall(text=text, mapping=mapping, lenient=True))
    assert counts(answer) == (2, 0, [4, 5, 6])
    assert [each.code for each in answer.errors] == ["bad_email", "bad_id", "bad_row"]
    assert [(each.line, each.column, each.code) for each in answer.cell_errors] == [
        (2, "MRR", "bad_trait"),
        (2, "Email", "bad_email"),
        (2, "Since", "bad_date"),
    ]
    assert (answer.bad, answer.bad_cells) == (3, 3)
    february = datetime(2024, 2, 28, tzinfo=UTC)
    assert rows(work, end_users, "external_id", "email", "mrr", "signed_up_at") == [
        ("ann", None, None, None),
        ("ben", "ben@a.example", 12, february),
    ]


# Numbers in custom fields.


def test_a_field_of_text_stays_one(work: Work) -> None:
    """Digits stay text in a field that is registered as text, or is text in the file's first row.
    So importing the file again changes nothing.
    """
    mapping = {"ID": "external_id", "Size": "custom:size", "Code": "custom:code"}
    lines = ["ID,Size,Code", "ann,5,A1", "ben,7.5,12", "cyd,many,13", "dee,1.50,14"]
    for _ in range(2):
        import_csv(work, ImportCsvCall(text="\n".join(lines), mapping=mapping))
        assert rows(work, end_users, "custom_fields") == [
            ({"size": 5, "code": "A1"},),
            ({"size": 7.5, "code": "12"},),
            ({"size": "many", "code": "13"},),
            ({"size": "1.50", "code": "14"},),
        ]
    assert rows(work, audience_fields, "key", "type") == [("code", "string"), ("size", "number")]
    assert [kind for kind, _, _ in written_signals(work)] == ["created"] * 4


# Size.


def test_pages_of_1_and_of_200_take_the_same_statements(work: Work) -> None:
    """A page takes two statements for 1 or 200 rows, new or known, twelve times on one
    connection.
    """
    for n in range(12):
        for size in (1, 200):
            text = "".join(f"u{n % 3}-{i},{i}@a.example,Ann,{n}\n" for i in range(size))
            [page] = pages(work.org, io.StringIO(f"ID,Email,Name,Plan\n{text}"), HOW, size=size + 1)
            with statements(work.connection) as seen:
                import_page(work, page)
            assert len(seen) == 2


def test_a_long_file_needs_no_more_memory_than_a_short_one(work: Work, tmp_path: Path) -> None:
    """Ten times as many rows, bad ones included, take no more memory."""

    def peak(count: int) -> int:
        path = tmp_path / "contacts.csv"
        with path.open("w") as file:
            file.write("ID,Email,Name,Plan\n")
            file.writelines(f"u{n},{n}@a.example,,{n}\nbad,bad,,\n" for n in range(count))
        tracemalloc.start()
        with open_csv(path) as file:
            seen = sum(page.size for page in pages(work.org, file, HOW, size=100))
        assert seen == 2 * count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(2000) < 1.5 * peak(200)


# Against the reference model.

IDS = st.sampled_from(["", "", "ann", "ben", "cyd"])
EMAILS = st.sampled_from(["", "", "a@x.example", "A@x.example", "b@x.example", "c@x.example"])
PLANS = st.sampled_from(["", "", "pro", "5", "-2.5", "1.10", "true", "007", "2026-01-02", " 5 "])
ROWS = st.lists(st.tuples(IDS, EMAILS, st.sampled_from(["", "N", "M"]), PLANS), max_size=10)
WRITERS = st.tuples(st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"]))


def text_of(given_rows: Sequence[Sequence[str]], separator: str, ending: str) -> str:
    """Return the rows as a file."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, lineterminator=ending)
    writer.writerows([("ID", "Email", "Name", "Plan"), *given_rows])
    return file.getvalue()


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=ROWS, second=ROWS, writer=WRITERS)
def test_files_end_as_in_the_model(
    work: Work,
    first: Sequence[Sequence[str]],
    second: Sequence[Sequence[str]],
    writer: tuple[str, str],
) -> None:
    """Two files in a row leave what the reference model says, whichever contacts their rows
    name.
    """
    model = World(start="2026-06-01T09:00:00Z")
    with work.connection.begin_nested() as savepoint:
        for file in (first, second):
            text = text_of(file, *writer)
            answer = import_csv(work, ImportCsvCall(text=text, mapping=MAPPING))
            said = model.import_csv(text, MAPPING)
            assert counts(answer) == (said["created"], said["updated"], said["errors"])
            found = rows(work, end_users, "external_id", "email", "name", "custom_fields", "source")
            assert found == [
                (
                    each.external_id,
                    each.columns["email"],
                    each.columns["name"],
                    each.custom,
                    each.source,
                )
                for each in model.contacts
            ]
        savepoint.rollback()


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    text=st.text(alphabet=st.sampled_from('a,"\n\r\0\ud8001e-@.é\t'), max_size=60),
    mapping=st.dictionaries(
        st.sampled_from(["ID", "Email", "X"]),
        st.sampled_from(["external_id", "email", "mrr", "custom:a", "on_contract", "id", ""]),
        max_size=3,
    ),
)
def test_any_file_is_read(work: Work, text: str, mapping: dict[str, str]) -> None:
    """Any text is read as rows and bad rows; only a mapping is refused as a whole."""
    with work.connection.begin_nested() as savepoint:
        call: dict[str, Any] = {"text": f"ID,Email\n{text}", "mapping": mapping}
        try:
            answer = import_csv(work, validated(ImportCsvCall, call, "import"))
        except Refusal as refusal:
            if not refusal.message.startswith("mapping: "):
                raise
        else:
            assert answer.bad == len(answer.errors)
        savepoint.rollback()


# Writing.


def test_written_csv_holds_no_formula(tmp_path: Path) -> None:
    """A text that a spreadsheet would run as a formula is written with an apostrophe; numbers stay
    numbers.
    """
    path = tmp_path / "out.csv"
    cells = ["=1+1", "+1", "-1", "@A1", "\tx", "\0x", "a=1", "", None, -5, 1.5]
    with path.open("w", newline="") as file:
        write_csv(file, [["a", "b"], cells])
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["a", "b"],
            ["'=1+1", "'+1", "'-1", "'@A1", "'\tx", "'\0x", "a=1", "", "", "-5", "1.5"],
        ]
