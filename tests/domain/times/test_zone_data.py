"""Time zones come from the newest database at hand, whatever the system has."""

import sysconfig
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import tzdata  # type: ignore[import-untyped]

from halo_engine import ZONE_DATA
from halo_engine.domain.errors import Refusal
from halo_engine.domain.times.instants import parse_zone
from halo_engine.domain.times.zone_data import read_newest

OLDER, NEWER = "2020a", "2099zz"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A system folder in which Berlin has Tokyo's time."""
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _name: f"/nowhere:{tmp_path}")
    tokyo = Path(tzdata.__path__[0]) / "zoneinfo" / "Asia" / "Tokyo"
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Berlin").write_bytes(tokyo.read_bytes())
    yield tmp_path
    monkeypatch.undo()
    read_newest()


def _berlin() -> str:
    return (
        datetime(2026, 6, 1, tzinfo=UTC)
        .astimezone(ZoneInfo.no_cache("Europe/Berlin"))
        .strftime("%z")
    )


@pytest.mark.parametrize("version", [OLDER, tzdata.IANA_VERSION, None])
def test_an_older_system_is_not_read(system: Path, version: str | None) -> None:
    """The package is read if the system's database is not newer, or has no version."""
    if version is not None:
        (system / "tzdata.zi").write_text(f"# version {version}\n")
    assert read_newest().version == tzdata.IANA_VERSION
    assert _berlin() == "+0200"


def test_a_newer_system_is_read(system: Path) -> None:
    """A newer system database has rules that changed after the package was made."""
    (system / "tzdata.zi").write_text(f"# version {NEWER}\n")
    assert (read_newest().version, read_newest().whose) == (NEWER, "the system's files")
    assert _berlin() == "+0900"


def test_a_change_of_this_year_is_known() -> None:
    """Vancouver stays seven hours behind from November 2026; only a new database knows."""
    assert ZONE_DATA.version >= "2026f"
    winter = datetime(2026, 12, 1, tzinfo=UTC).astimezone(ZoneInfo("America/Vancouver"))
    assert winter.strftime("%z") == "-0700"


@pytest.mark.parametrize("name", ["Europe/Kiev", "Europe/Kyiv", "Asia/Calcutta", "Asia/Kolkata"])
def test_both_names_of_a_zone_are_taken(name: str) -> None:
    """Browsers and Node still use old names."""
    assert parse_zone(name).key == name


@pytest.mark.parametrize(
    "name",
    ["+03:00", "UTC+3", "GMT+3", "CEST", "right/UTC", "posix/UTC", "localtime", "posixrules"],
)
def test_what_two_programs_would_read_as_two_zones_is_refused(name: str) -> None:
    """These are no zones: PostgreSQL reads +03:00 as UTC-3, and zone folders hold other files."""
    with pytest.raises(Refusal, match="is not a time zone; allowed are IANA names"):
        parse_zone(name)
