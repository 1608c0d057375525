"""The doors of files that came over HTTP: start, run and show their import (§12)."""

import time
from functools import partial
from typing import Any, Final

from halo_engine.contacts.csv_import.uploads import (
    Upload,
    UploadCall,
    import_turn,
    show_import,
    start_import,
)
from halo_engine.domain.roles import Role
from halo_engine.doors.acts import Ask, Flow, Order, Unfinished
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.trails import About
from halo_engine.engine import Engine
from halo_engine.operators.origin import Origin
from halo_engine.settings import TURN_SECONDS
from halo_engine.work import OrgRef, Work


def _run(
    engine: Engine, org: OrgRef, call: UploadCall, _: Origin
) -> Upload | Unfinished[UploadCall, Upload]:
    ends = time.monotonic() + TURN_SECONDS
    done = import_turn(partial(engine.perform, org), call.id, lambda: time.monotonic() > ends)
    upload = engine.ask(org, lambda work: show_import(work, call))
    return upload if done else Unfinished(upload, call)


def _the_import(_work: Work, call: UploadCall, _answer: Any) -> str:
    return str(call.id)


DOORS: Final[tuple[AnyDoor, ...]] = (
    Door(
        "imports.start",
        "Take a file that was uploaded; workers import it.",
        UploadCall,
        Upload,
        Role.EDITOR,
        Order(lambda work, call, _: start_import(work, call)),
        About(_the_import, answers=("bytes",)),
    ),
    Door(
        "imports.run",
        "Import pages of a file, for one turn; workers go on with the rest.",
        UploadCall,
        Upload,
        None,
        Flow(_run),
    ),
    Door(
        "imports.show",
        "Show how far an import is, and what was left out of it.",
        UploadCall,
        Upload,
        Role.VIEWER,
        Ask(show_import),
    ),
)
