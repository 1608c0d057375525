"""Which time zone database this process reads: the newest at hand (contract §1, §5).

Python reads the system's files before the ``tzdata`` wheel, however old they are; then a window is
an hour off where a government changed its mind since. So the system's files are read only where
they are newer. ``halo_engine`` asks for this when it is imported, before any zone is read.
"""

import re
import sysconfig
import zoneinfo
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tzdata  # type: ignore[import-untyped]

#: The file in which the system's package says its version, in the first line.
_VERSION_FILE: Final = "tzdata.zi"
_VERSION: Final = re.compile(r"# version (\d{4}[a-z]{1,2})")


@dataclass(frozen=True, slots=True)
class ZoneData:
    """The database in use: its IANA version, such as 2026f, and whose files they are."""

    version: str
    whose: str


def read_newest() -> ZoneData:
    """Have ``zoneinfo`` read the newest database from now on, and return which that is.

    Zones that were read before stay as they were.
    """
    system = _system_path()
    found = _version_of(system)
    if _age(found) > _age(tzdata.IANA_VERSION):
        zoneinfo.reset_tzpath([str(each) for each in system])
        return ZoneData(found, "the system's files")
    zoneinfo.reset_tzpath(())
    return ZoneData(tzdata.IANA_VERSION, "the package tzdata")


def _system_path() -> list[Path]:
    """Return where Python was built to look; PYTHONTZPATH does not count."""
    named = sysconfig.get_config_var("TZPATH") or ""
    return [Path(each) for each in named.split(":") if each]


def _version_of(path: list[Path]) -> str:
    """Return the version of the first folder that has one; empty where none says it."""
    for folder in path:
        try:
            with (folder / _VERSION_FILE).open() as file:
                found = _VERSION.match(file.readline())
        except (OSError, UnicodeDecodeError):
            continue
        if found is not None:
            return found[1]
    return ""


def _age(version: str) -> tuple[int, str]:
    """Return what sorts versions: 2026f before 2026aa."""
    return len(version), version
