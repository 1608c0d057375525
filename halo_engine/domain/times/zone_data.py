"""Choose the newest time zone database for this process (contract §1, §5).

Python prefers the system's files to the ``tzdata`` wheel, even if they are older. Then send windows
are an hour off wherever a government has since changed the rules. So the system's files are used
only if they are newer. ``halo_engine`` calls this when it is imported, before any zone is read.
"""

import re
import sysconfig
import zoneinfo
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tzdata  # type: ignore[import-untyped]

#: The system's file whose first line has the version.
_VERSION_FILE: Final = "tzdata.zi"
_VERSION: Final = re.compile(r"# version (\d{4}[a-z]{1,2})")


@dataclass(frozen=True, slots=True)
class ZoneData:
    """The database in use: its IANA version, such as 2026f, and where its files are from."""

    version: str
    whose: str


def read_newest() -> ZoneData:
    """Make ``zoneinfo`` read the newest database from now on; return which one that is.

    Zones that were read before do not change.
    """
    system = _system_path()
    found = _version_of(system)
    if _age(found) > _age(tzdata.IANA_VERSION):
        zoneinfo.reset_tzpath([str(each) for each in system])
        return ZoneData(found, "the system's files")
    zoneinfo.reset_tzpath(())
    return ZoneData(tzdata.IANA_VERSION, "the package tzdata")


def _system_path() -> list[Path]:
    """Return the folders that Python was built with; PYTHONTZPATH does not count."""
    named = sysconfig.get_config_var("TZPATH") or ""
    return [Path(each) for each in named.split(":") if each]


def _version_of(path: list[Path]) -> str:
    """Return the version in the first folder that has one; empty if none has."""
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
    """Return a sort key for versions: 2026f before 2026aa."""
    return len(version), version
