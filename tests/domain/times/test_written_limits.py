"""Windows and surges as people write them in one line (contract §5, §19)."""

from typing import Any

import pytest

from halo_engine.domain.errors import Refusal
from halo_engine.domain.times.surges import Surge
from halo_engine.domain.times.windows import SendWindow
from halo_engine.domain.times.written_limits import (
    read_surge,
    read_window,
    write_surge,
    write_window,
)

_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@pytest.mark.parametrize(
    ("line", "days", "zone"),
    [
        ("mon-fri 09:00-17:00", _DAYS[:5], None),
        ("mon-sun 09:00-17:00 contact", _DAYS, "contact"),
        ("tue,thu 09:00-17:00 Europe/Berlin", ["tue", "thu"], "Europe/Berlin"),
        ("fri,mon 09:00-17:00", ["fri", "mon"], None),
        ("sat,sun 09:00-17:00", ["sat", "sun"], None),
    ],
)
def test_a_window_is_the_line_that_says_it(line: str, days: list[str], zone: str | None) -> None:
    """Both ways; its days stay in their order."""
    window = {"days": days, "from": "09:00", "to": "17:00"} | ({"timezone": zone} if zone else {})
    assert read_window(line) == window
    assert write_window(SendWindow.model_validate(window)) == line


@pytest.mark.parametrize(
    ("line", "days"),
    [
        (" 09:00 - 17:00 ", _DAYS),
        ("Sat-Mon,wed 09:00-17:00", ["sat", "sun", "mon", "wed"]),
    ],
)
def test_a_window_is_read_as_people_write_it(line: str, days: list[str]) -> None:
    """Without days it is every day; a row of days may pass Sunday."""
    assert read_window(line) == {"days": days, "from": "09:00", "to": "17:00"}


def test_nothing_is_no_window_and_no_surge() -> None:
    """A blank line says nothing."""
    assert read_window(" ") is None
    assert read_surge(" ") is None
    assert (write_window(None), write_surge(None)) == ("", "")


@pytest.mark.parametrize("line", ["noon", "funday 09:00-17:00", "mon-fri", "mon- 09:00-17:00 a b"])
def test_a_line_that_is_no_window_is_refused_by_name(line: str) -> None:
    """The message says how one is written."""
    with pytest.raises(Refusal, match=r"is no send window; allowed are days and hours such as"):
        read_window(line)


def test_a_surge_is_the_line_that_says_it() -> None:
    """Both ways; anything else is refused."""
    said: dict[str, Any] = {"at_most": 500, "within": "1h"}
    assert read_surge("500/1h") == said
    assert write_surge(Surge.model_validate(said)) == "500/1h"
    with pytest.raises(Refusal, match="is no surge; allowed is one such as 500/1h"):
        read_surge("many")
