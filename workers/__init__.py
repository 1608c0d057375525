"""The processes: the Celery app and its tasks, the HTTP server, the embedded stack, `halo`."""

from typing import Final

#: What this folder is called where the project is installed, from a wheel or by a clone's `make`:
#: its processes are started by that name, since others have modules called `workers`.
PACKAGE: Final = "halo_workers"
