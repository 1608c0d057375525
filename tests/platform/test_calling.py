"""`docs/calling.md` names every task, and says rightly how each names its organisation."""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from workers.app import app
from workers.orders import OperatorTask

_PAGE: Final = Path(__file__).parents[2] / "docs" / "calling.md"
#: Beat and doorbells send these.
_OUR_OWN: Final = {"halo.tick", "halo.settle"}


def _named(row: str) -> list[str]:
    """Return the tasks that a row names; `.sync` after `halo.contacts.add` is of that family."""
    names: list[str] = []
    for name in re.findall(r"`([a-z_.*]+)`", row.split("|")[2]):
        family = names[-1].rpartition(".")[0] if name.startswith(".") else ""
        names.append(family + name)
    return names


def test_the_page_names_every_task_under_the_key_that_it_takes() -> None:
    """An operator's task takes ``org``; all others are named by another row."""
    app.loader.import_default_modules()
    rows = [
        row for row in _PAGE.read_text().splitlines() if row.startswith("| ") and "`halo." in row
    ]
    tasks = {name for name in app.tasks if name.startswith("halo.")} - _OUR_OWN
    found = {
        task: ["`org`" in row for row in rows for name in _named(row) if fnmatchcase(task, name)]
        for task in tasks
    }
    assert found == {task: [isinstance(app.tasks[task], OperatorTask)] for task in tasks}
