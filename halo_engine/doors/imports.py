"""The doors of files that came over HTTP: start, run and show their import (§12)."""

import time
from functools import partial
from typing import Any, Final

from halo_engine.contacts.csv_import.uploads.look import (
    ImportList,
    ListImportsCall,
    Look,
    LookCall,
    list_imports,
    look_into_upload,
)
from halo_engine.contacts.csv_import.uploads.receiving import (
    Discarded,
    StartCall,
    Upload,
    UploadCall,
    discard_upload,
    show_import,
    start_import,
)
from halo_engine.contacts.csv_import.uploads.turns import import_turn
from halo_engine.domain.roles import Role
from halo_engine.doors.acts import Ask, Flow, Order, Unfinished
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.trails import About
from halo_engine.engine import Engine
from halo_engine.operators.origin import Origin
from halo_engine.pipeline.batches.import_csv import UploadTrial, try_upload
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
        StartCall,
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
    Door(
        "imports.discard",
        "Delete a file that waits for its start.",
        UploadCall,
        Discarded,
        Role.EDITOR,
        Order(lambda work, call, _: discard_upload(work, call)),
        About(_the_import),
    ),
    Door(
        "imports.list",
        "List the imports of files that came over HTTP, newest first.",
        ListImportsCall,
        ImportList,
        Role.VIEWER,
        Ask(list_imports),
    ),
    Door(
        "imports.look",
        "Show the columns of a file that waits for its start, with suggested fields.",
        LookCall,
        Look,
        Role.EDITOR,
        Ask(look_into_upload),
    ),
    Door(
        "imports.try",
        "Say what the import of a file that waits would do and start; nothing is written.",
        StartCall,
        UploadTrial,
        Role.EDITOR,
        Ask(try_upload),
    ),
)
