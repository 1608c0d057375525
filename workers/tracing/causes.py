"""The cause of the current work: the ids of requests, and their spans.

A call over HTTP has an id. What is done for it bears that id, here and in other processes: a set of
calls bears the ids of all of them, and so does the turn of a worker that their signals lead to.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

#: Work with more causes keeps so many of them, and shows so many ids in a line of the log.
MOST_JOINED: Final = 100
MOST_LOGGED: Final = 20

_SAFE_ID: Final = re.compile(r"[A-Za-z0-9._:@=+/-]{1,128}")


class Cause(NamedTuple):
    """The ids of the requests, and the spans as ``traceparent`` writes them."""

    request_ids: tuple[str, ...] = ()
    spans: tuple[str, ...] = ()


NOTHING: Final = Cause()
_current: Final[ContextVar[Cause]] = ContextVar("cause", default=NOTHING)

#: The cause of what is done now, in this thread or task.
current = _current.get


def set_cause(cause: Cause) -> None:
    """Make ``cause`` the cause of all later work in this context."""
    _current.set(cause)


@contextmanager
def caused_by(cause: Cause) -> Iterator[None]:
    """Make ``cause`` the cause of the work in the block."""
    token = _current.set(cause)
    try:
        yield
    finally:
        _current.reset(token)


def joined(causes: Iterable[Cause]) -> Cause:
    """Return the cause of work that several causes led to; of very many the first are kept."""
    request_ids: dict[str, None] = {}
    spans: dict[str, None] = {}
    for each in causes:
        request_ids.update(dict.fromkeys(each.request_ids))
        spans.update(dict.fromkeys(each.spans))
        if len(request_ids) >= MOST_JOINED and len(spans) >= MOST_JOINED:
            break
    return Cause(tuple(request_ids)[:MOST_JOINED], tuple(spans)[:MOST_JOINED])


def is_safe_id(value: str) -> bool:
    """Whether this can be a request's id: 1 to 128 characters that are safe in a log (§12)."""
    return _SAFE_ID.fullmatch(value) is not None


def logged() -> dict[str, object]:
    """Return the fields by which a line of the log names its cause."""
    ids = _current.get().request_ids
    if not ids:
        return {}
    if len(ids) == 1:
        return {"request_id": ids[0]}
    return {"request_ids": ",".join(ids[:MOST_LOGGED]), "requests": len(ids)}


def as_text(cause: Cause) -> str:
    """Return the cause as a text to be kept beside a message."""
    return json.dumps(cause)


def read_text(text: str | bytes) -> Cause:
    """Return the cause that ``as_text`` wrote."""
    request_ids, spans = json.loads(text)
    return Cause(tuple(request_ids), tuple(spans))
