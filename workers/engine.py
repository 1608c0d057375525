"""This worker process's engine: its database, its mail folder, and the doorbell after each
commit.
"""

from functools import cache

from celery.signals import worker_process_init

from halo_engine.delivery.links import LinkBases
from halo_engine.delivery.message import Sender
from halo_engine.delivery.transports import FolderTransport
from halo_engine.engine import Engine
from halo_engine.pipeline.settle import PostOffice
from halo_engine.settings import Settings, load_settings
from workers.connections import database
from workers.doorbell import ring


@cache
def engine() -> Engine:
    """Return the engine on HALO_DATABASE_URL that writes mail into HALO_MAIL_FOLDER."""
    return Engine(database=database(), post=post_office(load_settings()), ring=ring)


def post_office(settings: Settings) -> PostOffice:
    """Return the post office that the settings name; its mail goes into a folder."""
    bases = LinkBases(settings.unsubscribe_url, settings.tracking_url)
    sender = Sender(settings.mail_from_name, settings.mail_from_address, bases)
    return PostOffice(FolderTransport(settings.mail_folder), sender)


@worker_process_init.connect
def _begin(**_: object) -> None:
    engine.cache_clear()
