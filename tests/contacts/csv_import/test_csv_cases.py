"""What real exports hold, a row for each kind (contract §2, CSV as programs write it)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from halo_engine.contacts.csv_import.resume import FileOptions, ImportFileAnswer, import_file
from halo_engine.tables import end_users
from halo_engine.work import Work
from tests.contacts.sandbox import new_organization, rows

ID: Final = {"id": "external_id"}
SINCE: Final = {**ID, "d": "signed_up_at"}
EMAIL: Final = {**ID, "e": "email"}


@dataclass(frozen=True)
class Case:
    """A file, how it is read, and what is to come of its contact; or why its row is left out."""

    name: str
    data: bytes
    mapping: Mapping[str, str]
    right: Mapping[str, Any] | str
    options: Mapping[str, Any] = field(default_factory=dict)


def since(*at: int) -> dict[str, datetime]:
    """Return a sign-up on the organisation's clock, which is that of Berlin."""
    return {"signed_up_at": datetime(*at, tzinfo=UTC)}  # type: ignore[arg-type,misc]


def dated(form: str) -> dict[str, Any]:
    """Return the options for a file whose column `d` writes dates so."""
    return {"date_formats": {"d": form}}


ANN: Final = {"email": "ann@c.example"}
CASES: Final = (
    Case(
        "date with a space", b"id,d\nz,2024-03-14 09:12:31\n", SINCE, since(2024, 3, 14, 8, 12, 31)
    ),
    Case("date without seconds", b"id,d\nz,2024-03-12 09:14\n", SINCE, since(2024, 3, 12, 8, 14)),
    Case(
        "date of PostgreSQL", b"id,d\nz,2024-03-15 09:14:00+00\n", SINCE, since(2024, 3, 15, 9, 14)
    ),
    Case(
        "date of PostgreSQL, fractions",
        b"id,d\nz,2024-03-15 09:14:00.25-05:30\n",
        SINCE,
        since(2024, 3, 15, 14, 44, 0, 250_000),
    ),
    Case(
        "date of the Data Loader",
        b"id,d\nz,2024-03-15T09:14:00.000+0000\n",
        SINCE,
        since(2024, 3, 15, 9, 14),
    ),
    *[
        Case(
            f"date with an offset apart: {offset}",
            f"id,d\nz,2024-03-15 09:14:00{offset}\n".encode(),
            SINCE,
            since(2024, 3, 15, hour, 14),
        )
        for offset, hour in (
            (" UTC", 9),
            (".000000 UTC", 9),
            (" GMT", 9),
            (" Z", 9),
            (" +0000", 9),
            (" -07:00", 16),
            (" +0000 UTC", 9),
        )
    ],
    Case(
        "date with the name of a zone",
        b"id,d\nz,2024-03-15 09:14:00 CET\n",
        SINCE,
        "traits.signed_up_at: \u20182024-03-15 09:14:00 CET\u2019 is not a date",
    ),
    Case("unix seconds", b"id,d\nz,1710494040\n", SINCE, since(2024, 3, 15, 9, 14)),
    Case(
        "unix milliseconds",
        b"id,d\nz,1710494040250\n",
        SINCE,
        since(2024, 3, 15, 9, 14, 0, 250_000),
    ),
    *(
        Case(
            f"unix seconds with a fraction: {seconds}",
            f"id,d\nz,{seconds}\n".encode(),
            SINCE,
            since(2024, 3, 15, 9, 14, 0, microseconds),
        )
        for seconds, microseconds in (("1710494040.0", 0), ("1710494040.250000", 250_000))
    ),
    Case("date alone", b"id,d\nz,2024-03-15\n", SINCE, since(2024, 3, 14, 23)),
    Case(
        "date as in the US",
        b"id,d\nz,3/15/2024\n",
        SINCE,
        "traits.signed_up_at: \u20183/15/2024\u2019 is not a date; allowed is ISO 8601, such as "
        "2026-05-27 or 2026-05-27T08:00:00Z; how a column writes dates, such as DD.MM.YYYY, is "
        "said by --date-format (in calls: date_formats)",
    ),
    Case(
        "date as in the US, told",
        b"id,d\nz,3/15/2024\n",
        SINCE,
        since(2024, 3, 14, 23),
        dated("12/31/2026"),
    ),
    Case(
        "date as in Germany, told",
        b"id;d\nz;15.03.2024\n",
        SINCE,
        since(2024, 3, 14, 23),
        dated("DD.MM.YYYY"),
    ),
    Case(
        "date as in strftime, told",
        b"id;d\nz;15.03.24 9:14\n",
        SINCE,
        since(2024, 3, 15, 8, 14),
        dated("%d.%m.%y %H:%M"),
    ),
    Case(
        "date with AM and PM, told",
        b'id,d\nz,"Mar 5, 2024 12:05 PM"\n',
        SINCE,
        since(2024, 3, 5, 11, 5),
        dated("MMM D, YYYY hh:mm A"),
    ),
    Case(
        "date as browsers write it, with a narrow blank, told",
        "id,d\nz,3/5/2024 12:05\u202fPM\n".encode(),
        SINCE,
        since(2024, 3, 5, 11, 5),
        dated("M/D/YYYY h:mm A"),
    ),
    *(
        Case(
            f"a blank before AM and PM or none, told: {written} as {form}",
            f"id,d\nz,{written}\n".encode(),
            SINCE,
            since(2024, 3, 5, 11, 5),
            dated(form),
        )
        for written, form in (
            ("3/5/2024 12:05PM", "M/D/YYYY h:mm A"),
            ("3/5/2024 12:05 pm", "M/D/YYYY h:mmA"),
        )
    ),
    Case(
        "date as in Spain, told",
        "id,d\nz,5/3/2024 1:05 p.\u00a0m.\n".encode(),
        SINCE,
        since(2024, 3, 5, 12, 5),
        dated("D/M/YYYY h:mm A"),
    ),
    Case(
        "ISO where another form is told",
        b"id,d\nz,2024-03-15\n",
        SINCE,
        "traits.signed_up_at: ‘2024-03-15’ is not a date; allowed is DD.MM.YYYY",
        dated("DD.MM.YYYY"),
    ),
    Case(
        "a word that is no date",
        b"id,d\nz,NULL\n",
        SINCE,
        "traits.signed_up_at: ‘NULL’ is not a date; ",
    ),
    Case(
        "a word that means empty",
        b"id,d\nz,NULL\n",
        SINCE,
        {"signed_up_at": None},
        {"empty": ["NULL", "\\N"]},
    ),
    Case(
        "numbers and booleans of a custom field",
        b"id,seats,vip,rate\nz,5,true,-2.5\n",
        {**ID, "seats": "custom:seats", "vip": "custom:vip", "rate": "custom:rate"},
        {"custom_fields": {"seats": 5, "vip": True, "rate": -2.5}},
    ),
    Case(
        "digits that are text",
        b"id,zip,phone,big,version,n,yes\nz,01234,+49 30 1,12345678901234567890,1.10,1e5,TRUE\n",
        {
            **ID,
            **{name: f"custom:{name}" for name in ("zip", "phone", "big", "version", "n", "yes")},
        },
        {
            "custom_fields": {
                "zip": "01234",
                "phone": "+49 30 1",
                "big": "12345678901234567890",
                "version": "1.10",
                "n": "1e5",
                "yes": "TRUE",
            }
        },
    ),
    Case(
        "types of custom fields that are told",
        b"id,a,b,c,d\nz,123,007,Yes,1710494040\n",
        {
            **ID,
            "a": "custom:a:text",
            "b": "custom:b:number",
            "c": "custom:c:boolean",
            "d": "custom:d:date",
        },
        {"custom_fields": {"a": "123", "b": 7, "c": True, "d": "2024-03-15T09:14:00+00:00"}},
    ),
    Case(
        "a custom field with a form of dates",
        b"id,d\nz,15.03.2024\n",
        {**ID, "d": "custom:d"},
        {"custom_fields": {"d": "2024-03-15"}},
        dated("DD.MM.YYYY"),
    ),
    Case(
        "a custom field of dates that is none",
        b"id,d\nz,soon\n",
        {**ID, "d": "custom:d:date"},
        "traits.d: ‘soon’ is not a date; ",
    ),
    Case(
        "a number that is told and is none",
        b"id,a\nz,many\n",
        {**ID, "a": "custom:a:number"},
        "traits.a: ‘many’ is refused; allowed is a number, such as 4900 or 12.5",
    ),
    *(
        Case(
            f"a number that is told: {written}",
            f"id;a\nz;{written}\n".encode(),
            {**ID, "a": "custom:a:number"},
            {"custom_fields": {"a": number}},
        )
        for written, number in {
            "1,234.50": 1234.5,
            "1.234,50": 1234.5,
            "-1.234.567": -1_234_567,
            "1,234,567": 1_234_567,
            "1 234": 1234,
            "1\u202f234,5": 1234.5,
            "1'234.50": 1234.5,
            "12,5": 12.5,
            "0,125": 0.125,
            "1234,567": 1234.567,
            "1.234": 1.234,
        }.items()
    ),
    *(
        Case(
            f"a number that could be another: {written}",
            f"id;a\nz;{written}\n".encode(),
            {**ID, "a": "custom:a:number"},
            f"traits.a: \u2018{written}\u2019 is refused; allowed is a number, such as 4900",
        )
        for written in ("1,234", "12,34,567", "1.234.56", "1,234.567.8", "1,234,56", "5 %", "$5")
    ),
    Case(
        "signs of thousands where no number is told",
        b"id;a\nz;1,234.50\n",
        {**ID, "a": "custom:a"},
        {"custom_fields": {"a": "1,234.50"}},
    ),
    Case(
        "a name with a colon",
        b"id,a\nz,x\n",
        {**ID, "a": "custom:utm:source"},
        {"custom_fields": {"utm:source": "x"}},
    ),
    *(
        Case(
            f"a boolean as {word}",
            f"id,c\nz,{word}\n".encode(),
            {**ID, "c": "on_contract"},
            {"on_contract": value},
        )
        for word, value in {
            "Yes": True,
            "no": False,
            "1": True,
            "0": False,
            "T": True,
            "f": False,
            "Y": True,
            "n": False,
            "TRUE": True,
            # Excel's own in other languages.
            "WAHR": True,
            "FALSCH": False,
            "VRAI": True,
            "FAUX": False,
            "FALSO": False,
            "SANT": True,
            "FAŁSZ": False,
            # As people write them there.
            "Ja": True,
            "nein": False,
            "oui": True,
            "Non": False,
            "Sí": True,
            "sim": True,
            "não": False,
            "nee": False,
            "nej": False,
            "tak": True,
            "ИСТИНА": True,
            "YANLIŞ": False,
            "Kyllä": True,
            "Ne": False,
            "HAYIR": False,
            "はい": True,
            # A box that is ticked.
            "on": True,
            "off": False,
            "x": True,
            "✓": True,
            "checked": True,
        }.items()
    ),
    *(
        Case(
            f"a label: {label}",
            f"id,c\nz,{label}\n".encode(),
            {**ID, "c": field},
            {field: word},
        )
        for label, field, word in (
            ("Up for renewal", "renewal_status", "up_for_renewal"),
            ("At Risk", "renewal_status", "at_risk"),
            ("MONTHLY", "contract_term", "monthly"),
            ("Bi-annual", "payment_terms", "bi_annual"),
        )
    ),
    Case(
        "a word of another trait",
        b"id,c\nz,Monthly\n",
        {**ID, "c": "renewal_status"},
        "traits.renewal_status: ‘monthly’ is refused; allowed are up_for_renewal, ",
    ),
    Case(
        "no boolean",
        b"id,c\nz,maybe\n",
        {**ID, "c": "on_contract"},
        "traits.on_contract: ‘maybe’ is refused; allowed are true, yes, t, y, 1 and false, no, f",
    ),
    Case(
        "several addresses of Google's", b"id,e\nz,ann@c.example ::: ann2@c.example\n", EMAIL, ANN
    ),
    Case("several addresses", b'id,e\nz,"ann@c.example; ann2@c.example"\n', EMAIL, ANN),
    Case(
        "an address and a word",
        b"id,e\nz,ann@c.example ; ann\n",
        EMAIL,
        "traits.email: ‘ann@c.example ; ann’ is not an email address; ",
    ),
    *(
        Case(
            f"an address as mail programs write it: {written!r}",
            "id,e\nz,{}\n".format('"' + written.replace('"', '""') + '"').encode(),
            EMAIL,
            ANN,
        )
        for written in (
            "Ann Lee <ann@c.example>",
            '"Lee, Ann" <ann@c.example>',
            "<ann@c.example>",
            "mailto:ann@c.example",
            "MAILTO:ann@c.example",
            "'ann@c.example'",
            "Ann <ann@c.example>; Bob <bob@c.example>",
            "ann@c.example, Bob <bob@c.example>,",
            "ann@c.example / bob@c.example",
            "ann@c.example|bob@c.example",
            "ann@c.example\nbob@c.example",
            "ann@c.example bob@c.example",
            "ann@c.example:::bob@c.example",
        )
    ),
    *(
        Case(
            f"no address alone: {written}",
            f"id;e\nz;{written}\n".encode(),
            EMAIL,
            f"traits.email: ‘{written}’ is not an email address; ",
        )
        for written in (
            "ann@c.example (work)",
            "Ann ann@c.example",
            "Ann <ann>",
            "ann at c.example",
            "ann@c.example <",
            "ann@c.example/bob@c.example",
            "<>",
            "mailto:",
        )
    ),
    Case("semicolons", b"id;e\nz;ann@c.example\n", EMAIL, ANN),
    Case("tabs", b"id\te\nz\tann@c.example\n", EMAIL, ANN),
    Case("upright lines", b"id|e\nz|ann@c.example\n", EMAIL, ANN),
    Case("a separator that is told", b"id^e\nz^ann@c.example\n", EMAIL, ANN, {"separator": "^"}),
    Case("addresses as Outlook ends them", b'id,e\nz,"ann@c.example;"\n', EMAIL, ANN),
    Case("the header again", b"id,e\nid,e\nz,ann@c.example\n id , e \n", EMAIL, ANN),
    Case(
        "the header again, behind the mark of a second file",
        "\ufeffid,e\nz,ann@c.example\n\ufeffid,e\n".encode(),
        EMAIL,
        ANN,
    ),
    Case(
        "marks that show nothing",
        "\u200bid,e\u200e\nz\u200b,\u202aann@c.example\u202c\n".encode(),
        EMAIL,
        ANN,
    ),
    Case(
        "formulas that keep zeros",
        b'id,a,b,c,d\n="z",="0012","=""00""""12""","=1+1",="a"&"b"\n',
        {**ID, **{name: f"custom:{name}" for name in "abcd"}},
        {"custom_fields": {"a": "0012", "b": '00"12', "c": "=1+1", "d": '="a"&"b"'}},
    ),
    Case(
        "apostrophes that keep text",
        b"id,a,b,c,d\nz,'+49 30,'0012,'5G,'-x\n",
        {**ID, **{name: f"custom:{name}" for name in "abcd"}},
        {"custom_fields": {"a": "+49 30", "b": "0012", "c": "'5G", "d": "-x"}},
    ),
    Case("a file as DOS ends it", b"id,e\r\nz,ann@c.example\r\n\x1a", EMAIL, ANN),
    Case("Excel's first line", b"sep=;\r\nid;e\r\nz;ann@c.example\r\n", EMAIL, ANN),
    Case(
        "Windows' letters",
        "id,n\r\nz,Jörg\r\n".encode("cp1252"),
        {**ID, "n": "name"},
        "n: byte 0xF6 is not UTF-8; name the file's encoding by --encoding, such as windows-1252",
    ),
    Case(
        "Windows' letters, told",
        "id,n\r\nz,Jörg €\r\n".encode("cp1252"),
        {**ID, "n": "name"},
        {"name": "Jörg €"},
        {"encoding": "windows-1252"},
    ),
    Case(
        "UTF-16 with a mark, tabs",
        "id\tn\r\nz\tJörg\r\n".encode("utf-16"),
        {**ID, "n": "name"},
        {"name": "Jörg"},
    ),
    Case("a blank first line", b"\n  \r\n,,\nid,e\nz,ann@c.example\n", EMAIL, ANN),
    Case("rows of separators alone", b"id,e\n,\nz,ann@c.example\n , \n,\n", EMAIL, ANN),
    Case("trailing separators", b"id,e,,\nz,ann@c.example,,,,\n", EMAIL, ANN),
    Case(
        "a mark, CRLF and blank lines",
        b"\xef\xbb\xbfid,e\r\n\r\nz,ann@c.example\r\n\r\n",
        EMAIL,
        ANN,
    ),
    Case("CR alone", b"id,e\rz,ann@c.example\r", EMAIL, ANN),
    Case(
        "a line end in a cell", b'id,n\rz,"Ann\rLee"\r', {**ID, "n": "name"}, {"name": "Ann\rLee"}
    ),
    Case("blanks around names and cells", b" id , e \n z , ann@c.example \n", EMAIL, ANN),
    Case(
        "a cell of blanks",
        b"id,e,n\nz,ann@c.example,  \n",
        {**EMAIL, "n": "name"},
        {**ANN, "name": None},
    ),
    Case(
        "a name in two columns",
        b"id,f,l\nz,Ann,Lee\n",
        {**ID, "f": "first_name", "l": "last_name"},
        {"name": "Ann Lee"},
    ),
    Case(
        "half a name",
        b"id,f,l\nz,,Lee\n",
        {**ID, "f": "first_name", "l": "last_name"},
        {"name": "Lee"},
    ),
    *(
        Case(
            f"a line of totals: {words}",
            f"id,e,seats\n{words},,12\n".encode(),
            {**EMAIL, "seats": "custom:seats"},
            f"row: ‘{words}’ is taken for a line of totals; a user so called has an email",
        )
        for words in ("Total", "TOTAL:", "Grand Totals (12 records)", "Summe", "合計")
    ),
    *(
        Case(
            f"a note below the table: {note}",
            f"id,e,seats\n{note}\n".encode(),
            EMAIL,
            f"row: ‘{note.strip(',')}’ is taken for a note below the table; a user so called has",
        )
        for note in (
            "Confidential Information - Do Not Distribute",
            "Generated By: Ann Lee 3/4/2026 5:00 PM,,",
            "Acme Ltd",
        )
    ),
    *(
        Case(
            f"an ID that names nobody: {written}",
            f"id,e\n{written},ann@c.example\n".encode(),
            EMAIL,
            f"external_id: ‘{written}’ names nobody; words that mean an empty cell are said by",
        )
        for written in (
            "NULL",
            "(null)",
            "\\N",
            "None",
            "undefined",
            "#N/A",
            "#REF!",
            "#NV",
            "####",
        )
    ),
    *(
        Case(
            f"an ID that Excel has shortened: {written}",
            f'id,e\n"{written}",ann@c.example\n'.encode(),
            EMAIL,
            f"external_id: ‘{written}’ is a number that a spreadsheet has shortened",
        )
        for written in ("1.23457E+12", "1,23457E+12", "7E+15")
    ),
    Case(
        "a total in another cell",
        b"id,e,n\nz,ann@c.example,Total\n",
        {**EMAIL, "n": "name"},
        {**ANN, "name": "Total"},
    ),
    *(
        Case(
            f"a quote that is escaped by a backslash: {written}",
            f"id,n\nz,{written}\n".encode(),
            {**ID, "n": "name"},
            {"name": name},
        )
        for written, name in (
            ('"Ann \\"B\\" Lee"', 'Ann "B" Lee'),
            ('"5\\" disk, new"', '5" disk, new'),
            ('"Ann \\"B\\""  ', 'Ann "B"'),
            ('"C:\\"', "C:\\"),
            ('"Ann\\, Ben"', "Ann\\, Ben"),
        )
    ),
    Case(
        "a quote that is not closed",
        b'id,e\nz,"ann@c.example\n',
        EMAIL,
        "row: is not CSV: unexpected end of data",
    ),
)


def imported(work: Work, folder: Path, data: bytes, **how: Any) -> ImportFileAnswer:
    """Import a file in the test's transaction."""
    path = folder / "file.csv"
    path.write_bytes(data)
    return import_file(lambda action: action(work), path, FileOptions(**how))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_files_as_programs_write_them(work: Work, tmp_path: Path, case: Case) -> None:
    """A row makes the contact that the exporting program meant, or is refused with a helpful
    reason. Importing the file again changes nothing.
    """
    berlin = new_organization(work.connection, timezone="Europe/Berlin")
    for is_new in (True, False):
        answer = imported(berlin, tmp_path, case.data, mapping=dict(case.mapping), **case.options)
        if isinstance(case.right, str):
            [bad] = answer.errors
            assert bad.message.startswith(case.right)
            assert rows(berlin, end_users, "id") == []
        else:
            assert (answer.created, answer.updated, answer.bad) == (is_new, not is_new, 0)
            found = rows(berlin, end_users, "external_id", *case.right)
            assert found == [("z", *case.right.values())]
