"""Formats of dates as spreadsheets write them (contract §2, Dates)."""

import pytest

from halo_engine.domain.errors import Refusal
from halo_engine.domain.times.date_formats import parse_date_format


@pytest.mark.parametrize(
    ("form", "text", "iso"),
    [
        ("DD.MM.YYYY", "31.12.2026", "2026-12-31"),
        ("dd.mm.yyyy", "1.2.2026", "2026-02-01"),
        ("31.12.2026", "1.2.2026", "2026-02-01"),
        ("MM/DD/YYYY", "3/15/2024", "2024-03-15"),
        ("12/31/2026", "03/15/2024", "2024-03-15"),
        ("%m/%d/%Y", "3/15/2024", "2024-03-15"),
        ("YYYYMMDD", "20240315", "2024-03-15"),
        ("M/D/YY", "3/5/24", "2024-03-05"),
        ("M/D/YY", "3/5/70", "1970-03-05"),
        ("DD-MMM-YYYY", "05-Mar-2024", "2024-03-05"),
        ("%d %B %Y", "5  December 2024", "2024-12-05"),
        ("DD/MM/YYYY HH:MM", "05/03/2024 9:14", "2024-03-05T09:14:00"),
        ("YYYY/MM/DD HH:mm:ss", "2024/03/05 09:14:59", "2024-03-05T09:14:59"),
        ("MM/DD/YYYY hh:mm A", "03/05/2024 12:14 am", "2024-03-05T00:14:00"),
        ("%m/%d/%Y %I:%M %p", "03/05/2024 12:14 PM", "2024-03-05T12:14:00"),
        ("MMM D, YYYY h:mm am/pm", "Mar 5, 2024 1:14 p.m.", "2024-03-05T13:14:00"),
    ],
)
def test_a_format_reads_what_it_writes(form: str, text: str, iso: str) -> None:
    """A format is in letters of any case, as in strftime, or the last day of 2026."""
    assert parse_date_format(form).read(text, "d") == iso


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("MM/DD/YYYY", "31/12/2026"),
        ("MM/DD/YYYY", "2/30/2026"),
        ("MM/DD/YYYY", "3/15/24"),
        ("MM/DD/YYYY", "3/15/2024 9:14"),
        ("DD.MM.YYYY", "31-12-2026"),
        ("DD MMM YYYY", "5 Mai 2024"),
        ("MM/DD/YYYY hh:mm A", "3/5/2024 13:14 PM"),
        ("YYYY-MM-DD", "२०२६-०५-२७"),
    ],
)
def test_what_is_not_written_so_is_refused(form: str, text: str) -> None:
    """The refusal names the field and the format."""
    with pytest.raises(Refusal) as raised:
        parse_date_format(form).read(text, "d")
    assert (raised.value.code, str(raised.value)) == (
        "bad_date",
        f"d: ‘{text}’ is not a date; allowed is {form}",
    )


@pytest.mark.parametrize(
    "form",
    [
        "",
        "US",
        "DD.MM",
        "YYYY",
        "MM/DD/YYYY YY",
        "DD.MM.YYYY mm",
        "DD.MM.YYYY ss",
        "%q",
        "DD.MM.YY A",
    ],
)
def test_what_is_no_format_is_refused(form: str) -> None:
    """A format needs one year, month and day, and has minutes only with hours."""
    with pytest.raises(Refusal, match=r"^date_format: .* is no format of dates; allowed are such"):
        parse_date_format(form)
