"""Treat the connection as broken if the broker's client cannot read a reply.

When a reply is cut, or belongs to another command, Redis's client and kombu may raise a ValueError,
an IndexError or any other error. Celery connects again after a lost connection; any other error
would end the worker.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import redis

_UNREADABLE: Final = (ValueError, LookupError, AttributeError, TypeError, redis.InvalidResponse)
#: Modules that read replies, by the beginnings of their names.
_READERS: Final = ("redis._parsers", "redis.connection", "redis.client", "kombu.transport.redis")


@contextmanager
def reading() -> Iterator[None]:
    """Raise redis.ConnectionError for a reply that the body cannot read."""
    try:
        yield
    except _UNREADABLE as error:
        said = f"a reply cannot be read: {type(error).__name__}"
        raise redis.ConnectionError(said) from error


def is_unreadable(error: BaseException) -> bool:
    """Return whether the broker's client raised this error because it could not read a reply."""
    if not isinstance(error, _UNREADABLE):
        return False
    module, traceback = "", error.__traceback__
    while traceback is not None:
        module = traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next
    return module.startswith(_READERS)
