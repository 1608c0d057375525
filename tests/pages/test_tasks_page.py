"""`docs/reference/tasks.md` has every task, and says rightly how each names its organisation."""

import re
from collections import defaultdict
from typing import Final

from manual.pages import DOCS
from workers.app import app
from workers.orders import OperatorTask

_PAGE: Final = DOCS / "reference" / "tasks.md"
#: Beat, doorbells and workers send these.
_OUR_OWN: Final = {"halo.tick", "halo.settle", "halo.gathered", "halo.webhooks.deliver"}


def test_the_page_has_every_task_under_the_key_that_it_takes() -> None:
    """An operator's task takes ``org`` and is in that section; all others are in another."""
    app.loader.import_default_modules()
    sections = defaultdict(list)
    for section in _PAGE.read_text().split("\n## ")[1:]:
        for task in re.findall(r"^### (halo\.\S+)$", section, re.MULTILINE):
            sections[task].append("`org`" in section.partition("\n")[0])
    tasks = {name for name in app.tasks if name.startswith("halo.")} - _OUR_OWN
    assert sections == {task: [isinstance(app.tasks[task], OperatorTask)] for task in tasks}
