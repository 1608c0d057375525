"""The processes: the Celery app and its tasks, the HTTP server, the embedded stack, `halo`."""

import gc
from typing import Final

# Modules are no garbage: with Python's own numbers a seventh of a start went into looking for some.
gc.set_threshold(50_000, 20, 100)

#: What this folder is called where the project is installed, from a wheel or by a clone's `make`:
#: its processes are started by that name, since others have modules called `workers`.
PACKAGE: Final = "halo_workers"
