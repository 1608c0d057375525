"""Compares the time zones of Python and PostgreSQL, now and over the next two years.

The engine computes windows, dates and cron only in Python. So a difference affects nothing that is
sent or shown, but people who read the tables in local time should know of it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import Connection, text

from halo_engine.sql.statements import named

#: How far ahead zones are compared, and how closely.
AHEAD: Final = timedelta(days=730)
_STEP: Final = timedelta(days=1)

#: The server's offsets in seconds. ``SET TIME ZONE`` reads a name as a zone, but ``AT TIME ZONE``
#: may read it as an abbreviation (CET); so such names are left out.
_OFFSETS = named(
    "read_zone_offsets",
    text(
        """
    SELECT z.name, array_agg(
      extract(epoch FROM (t AT TIME ZONE z.name) - (t AT TIME ZONE 'UTC'))::int ORDER BY t)
    FROM unnest(CAST(:names AS text[])) AS z(name), unnest(CAST(:times AS timestamptz[])) AS t
    WHERE z.name IN (SELECT name FROM pg_timezone_names)
      AND upper(z.name) NOT IN (SELECT abbrev FROM pg_timezone_abbrevs)
    GROUP BY z.name
    """
    ),
)


def differing(connection: Connection, now: datetime) -> list[str]:
    """Return the names of the zones whose offset from UTC differs on the server.

    A zone that the server lacks is one of them.
    """
    names = sorted(name for name in available_timezones() if "/" in name)
    times = list(_times(now))
    rows = connection.execute(_OFFSETS, {"names": names, "times": times})
    theirs = {row.name: row[1] for row in rows}
    return [name for name in names if theirs.get(name) != _offsets(name, times)]


def _times(now: datetime) -> Iterator[datetime]:
    start = now.astimezone(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return (start + number * _STEP for number in range(AHEAD // _STEP))


def _offsets(name: str, times: Sequence[datetime]) -> list[int]:
    zone = ZoneInfo(name)
    found = (time.astimezone(zone).utcoffset() or timedelta(0) for time in times)
    return [int(offset.total_seconds()) for offset in found]
