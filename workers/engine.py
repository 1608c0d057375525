"""This worker process's engine, with its database, its mail transport and the doorbell."""

import gc
from functools import cache

from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_process_init, worker_process_shutdown

from halo_engine.delivery.smtp import SmtpTransport
from halo_engine.engine import Engine
from halo_engine.settings import load_settings
from workers.connections import database
from workers.doorbell import ring
from workers.mail import post_office


@cache
def engine() -> Engine:
    """Return the engine on HALO_DATABASE_URL whose mail goes where the settings say."""
    return Engine(
        database=database(),
        post=post_office(load_settings()),
        ring=ring,
        interruptions=(SoftTimeLimitExceeded,),
    )


@worker_process_init.connect
def _begin(**_: object) -> None:
    engine.cache_clear()
    # Imported objects live as long as the process; scanning them for garbage took a quarter of its
    # time.
    gc.collect()
    gc.freeze()


@worker_process_shutdown.connect
def _end(**_: object) -> None:
    if engine.cache_info().currsize:
        transport = engine().post.transport
        if isinstance(transport, SmtpTransport):
            transport.close()
