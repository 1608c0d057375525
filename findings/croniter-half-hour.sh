#!/usr/bin/env bash
# croniter 7.0.0: where a clock goes back by half an hour (Lord Howe Island), */20 leaves out the
# second 01:40, and 50 minutes pass between two runs. The clock shows 01:20, 01:40, 01:40 (after the
# change), 02:00; where it goes back by an hour croniter fires at both. So `domain/times/cron.py` asks
# croniter for times on the wall alone, and finds their instants itself.
# Exits 0 while it is as described, 1 when it changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check croniter==7.0.0 tzdata==2026.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from zoneinfo import ZoneInfo

from croniter import croniter


def gaps(zone: str, start: datetime) -> list[int]:
    """Return the minutes between the runs that follow ``start``."""
    runs = croniter("*/20 * * * *", start.astimezone(ZoneInfo(zone)))
    found = [runs.get_next(datetime).astimezone(timezone.utc) for _ in range(9)]
    return [round((b - a) / timedelta(minutes=1)) for a, b in zip(found, found[1:])]


hour = gaps("Europe/Berlin", datetime(2026, 10, 24, 23, 35, tzinfo=timezone.utc))
half = gaps("Australia/Lord_Howe", datetime(2026, 4, 4, 14, 5, tzinfo=timezone.utc))
print("croniter", version("croniter"))
print("expected: Lord Howe [20, 30, 20, ...]: the clock shows 01:40 twice, half an hour apart")
print("seen: Berlin", hour, "Lord Howe", half)
sys.exit(0 if max(hour) == 20 and max(half) == 50 else 1)
PYTHON
