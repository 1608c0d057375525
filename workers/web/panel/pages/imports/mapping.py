"""The form that says how a file is read: each column's field, and what the file is written in."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from halo_engine.contacts.csv_import.mapping import EXTERNAL_ID, OPT_OUT, CellType, field_of
from halo_engine.contacts.csv_import.uploads.look import Column
from halo_engine.contacts.csv_import.uploads.receiving import UploadOptions
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import resolve
from halo_engine.domain.rules_panel.labels import label_of_field
from halo_engine.domain.times.date_formats import parse_date_format

from ...forms import Faults, Form

#: So many columns of a file stand on the page; those behind are left out.
MOST_COLUMNS: Final = 200
CUSTOM, LIST = "custom", "list"
#: What a column can go into, in groups, by what the engine's mapping calls it.
FIELDS: Final[Sequence[tuple[str, Sequence[tuple[str, str]]]]] = (
    ("Who it is", ((EXTERNAL_ID, "User ID"), ("email", "Email"))),
    (
        "What is known",
        (
            ("name", "Name"),
            ("first_name", "First name"),
            ("last_name", "Last name"),
            *(
                (name, label_of_field(resolve(name)))
                for name in (
                    *("signed_up_at", "plan", "role", "avatar", "mrr", "arr", "renewal_date"),
                    *("renewal_status", "contract_term", "payment_terms", "on_contract"),
                )
            ),
            (CUSTOM, "A custom field …"),
        ),
    ),
    ("Mail", ((LIST, "A subscription list …"), (OPT_OUT, "Unsubscribed from everything"))),
)
#: Fields whose cells may be dates, of which the form says how they are written.
DATED: Final = ("signed_up_at", "renewal_date", OPT_OUT, CUSTOM)
TYPES: Final = (
    ("", "As the cells look"),
    (CellType.TEXT.value, "Text"),
    (CellType.NUMBER.value, "Number"),
    (CellType.BOOLEAN.value, "Yes or no"),
    (CellType.DATE.value, "Date"),
)
ENCODINGS: Final = (
    ("", "UTF-8, or UTF-16: most programs"),
    ("windows-1252", "Windows, Western Europe"),
    ("windows-1250", "Windows, Central Europe"),
    ("windows-1251", "Windows, Cyrillic"),
    ("windows-1254", "Windows, Turkish"),
    ("iso-8859-1", "ISO 8859-1 (Latin 1)"),
    ("mac-roman", "Mac Roman"),
    ("shift_jis", "Shift JIS, Japanese"),
    ("gbk", "GBK, Chinese"),
    ("utf-16-le", "UTF-16 without a mark"),
)
SEPARATORS: Final = (
    ("", "As the header shows"),
    ("comma", "Comma"),
    ("semicolon", "Semicolon"),
    ("tab", "Tab"),
    ("|", "Vertical bar |"),
)
LABELS: Final[Mapping[str, str]] = {
    "encoding": "Letters are in",
    "separator": "Columns are separated by",
    "empty": "Words that mean an empty cell",
    "most": "Import the first … lines alone",
    "lenient": "Leave out a bad cell alone, not its whole line",
}
#: What messages call an option of the command, and the input of this form that is meant.
_OPTIONS: Final = (
    ("by --date-format (in calls: date_formats)", "by “Its dates look like”"),
    ("--date-format", "“Its dates look like”"),
    ("by --encoding", "at “Letters are in”"),
    ("--encoding", "“Letters are in”"),
    ("by --separator", "at “Columns are separated by”"),
    (" (halo list create KEY)", ""),
)
#: How messages about a cell begin.
_TRAIT: Final = re.compile(r"traits\.([^:]+): ")
_LABEL_OF: Final = {value: text for _, options in FIELDS for value, text in options}
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Mapped:
    """A column with what the form says of it: its field, and what belongs to that.

    ``written`` is its name as the form holds it: in JSON, so that no browser changes it.
    """

    index: int
    column: str
    written: str
    values: Sequence[str]
    can_be_mapped: bool
    into: str
    custom: str
    type: str
    list: str
    dates: str


@dataclass(frozen=True, slots=True)
class Said:
    """What the form says as a whole, and what is wrong with it."""

    options: UploadOptions
    faults: Faults
    labels: Mapping[str, str] = field(default_factory=dict)


def columns_on_page(columns: Sequence[Column], form: Form | None) -> list[Mapped]:
    """Return the columns as the form says, or as is suggested where it does not know them."""
    return [_mapped(index, each, form) for index, each in enumerate(columns[:MOST_COLUMNS])]


def _mapped(index: int, column: Column, form: Form | None) -> Mapped:
    proposed = _NO_NAME.sub("_", column.name.lower()).strip("_")
    given = {
        "into": column.suggested or "",
        "custom": proposed or f"column_{index + 1}",
        "type": "",
        "list": "",
        "dates": "",
    }
    if form is not None and form.get(f"column.{index}") == json.dumps(column.name):
        given = {name: form.get(f"{name}.{index}") for name in given}
    return Mapped(
        index=index,
        column=column.name,
        written=json.dumps(column.name),
        values=column.values,
        can_be_mapped=column.can_be_mapped,
        **given,
    )


def read(form: Form) -> Said:
    """Return what the form says; a fault of a column stands at its inputs."""
    mapping: dict[str, str] = {}
    dates: dict[str, str] = {}
    wrong: dict[str, str] = {}
    labels: dict[str, str] = dict(LABELS)
    by_field: dict[str, str] = {}
    for index, column in _columns(form):
        into = form.get(f"into.{index}")
        name, written = _written(form, index, into)
        labels[name] = f"Column “{column}”"
        date = form.get(f"dates.{index}").strip() if into in DATED else ""
        try:
            found = field_of(written)
            key = f"{found.target}:{found.key}"
            if key in by_field:
                problem = f"“{by_field[key]}” goes there already; allowed is one column"
                wrong[name] = problem
            by_field[key] = column
            if date:
                name = f"dates.{index}"
                labels[name] = f"Column “{column}”"
                parse_date_format(date)
                dates[column] = date
        except Refusal as refusal:
            wrong[name] = in_words(refusal.message).partition(": ")[2]
        mapping[column] = written
    others = () if wrong else _nobody(by_field)
    most = form.get("most").strip()
    if most and not (most.isascii() and most.isdigit() and 0 < int(most) < 10**12):
        wrong["most"] = "Allowed is a number of lines, from 1 on, or nothing"
        most = ""
    options = UploadOptions(
        mapping=mapping,
        date_formats=dates,
        separator=form.get("separator") or None,
        encoding=form.get("encoding") or None,
        empty=[each.strip() for each in form.get("empty").split(",") if each.strip()],
        lenient="lenient" in form,
        most=int(most) if most else None,
    )
    return Said(options, Faults(wrong, others), labels)


def _columns(form: Form) -> Iterator[tuple[int, str]]:
    """Yield the columns that go somewhere."""
    for index in range(MOST_COLUMNS):
        if form.get(f"into.{index}"):
            with suppress(ValueError, RecursionError):
                yield index, str(json.loads(form.get(f"column.{index}")))


def _written(form: Form, index: int, into: str) -> tuple[str, str]:
    """Return the input that names a column's field, and the field as a mapping names it."""
    if into == LIST:
        return f"list.{index}", f"list:{form.get(f'list.{index}').strip()}"
    if into != CUSTOM:
        return f"into.{index}", into
    type_ = form.get(f"type.{index}")
    name = form.get(f"custom.{index}").strip()
    return f"custom.{index}", f"custom:{name}{':' if type_ else ''}{type_}"


def _nobody(by_field: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is wrong with a mapping that names nobody."""
    if any(each.partition(":")[2] in (EXTERNAL_ID, "email") for each in by_field):
        return ()
    return ("No column says who a line is about: one must go into Email or User ID.",)


def in_words(message: str) -> str:
    """Return a message of the engine with this form's words for the command's options."""
    for option, words in _OPTIONS:
        message = message.replace(option, words)
    return _TRAIT.sub(lambda found: f"{_LABEL_OF.get(found[1], found[1])}: ", message, count=1)
