"""This worker process's engine, with its database, its mail transport and the doorbell."""

import gc
from functools import cache

from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_process_init, worker_process_shutdown

from halo_engine.database import MovedAway
from halo_engine.engine import Engine
from halo_engine.mail.transports.smtp import SmtpTransport
from halo_engine.settings import load_settings
from halo_engine.webhooks.posting import CallRules

from .connections import database
from .doorbell import ring
from .mail import post_office


@cache
def engine() -> Engine:
    """Return the engine on HALO_DATABASE_URL whose mail goes where the settings say."""
    return Engine(
        database=database(),
        post=post_office(load_settings()),
        ring=ring,
        interruptions=(SoftTimeLimitExceeded, MovedAway),
        call_rules=CallRules(allow_private=load_settings().webhook_allow_private),
    )


@worker_process_init.connect
def _begin(**_: object) -> None:
    engine.cache_clear()
    # Imported objects live as long as the process: looking through them for garbage took a quarter
    # of its time.
    gc.collect()
    gc.freeze()


@worker_process_shutdown.connect
def _end(**_: object) -> None:
    if engine.cache_info().currsize:
        transport = engine().post.transport
        # What traces a transport, or writes down what it sends, has it inside.
        while hasattr(transport, "transport"):
            transport = transport.transport
        if isinstance(transport, SmtpTransport):
            transport.close()
