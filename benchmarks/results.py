"""Results as JSON, a file for each size: the last measurement of each workload, and its time."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.rows import Row, Target

FOLDER: Final = Path(__file__).resolve().parent / "results"


def keep(size: str, workload: str, rows: Iterable[Row], seconds: float) -> None:
    """Replace a workload's rows in the file of its size."""
    kept = _read(size)
    kept[workload] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "took_seconds": round(seconds, 1),
        "load": [round(each, 2) for each in os.getloadavg()],
        "cores": os.cpu_count(),
        "rows": [asdict(row) | {"holds": row.holds} for row in rows],
    }
    FOLDER.mkdir(exist_ok=True)
    _path(size).write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def kept_rows(size: str, workloads: Iterable[str]) -> list[Row]:
    """Return the rows that are stored, in the order of ``workloads``."""
    kept = _read(size)
    return [
        _row(data) for workload in workloads if workload in kept for data in kept[workload]["rows"]
    ]


def _row(data: dict[str, Any]) -> Row:
    target = data["target"] and Target(**data["target"])
    values = {name: value for name, value in data.items() if name != "holds"}
    return Row(**{**values, "target": target})


def _read(size: str) -> dict[str, Any]:
    path = _path(size)
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def _path(size: str) -> Path:
    return FOLDER / f"{size}.json"
