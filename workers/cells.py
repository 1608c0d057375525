"""What a worker of a cell does with messages: what is another cell's goes on to that cell's queue.

Applications send their calls to one queue, whatever cells there are. Workers of every cell take
them from there.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final

import redis
from celery.exceptions import Ignore, SoftTimeLimitExceeded

from halo_engine.cells.asking import NoAnswer, ask_each
from halo_engine.cells.finding import Finder
from halo_engine.cells.joining import identity_at
from halo_engine.cells.known import KnownDirectory, cells_at
from halo_engine.cells.moved import is_unknown, moved_to
from halo_engine.cells.owners import of_mail
from halo_engine.domain.errors import Refusal
from halo_engine.domain.mail_tokens import organization_of
from halo_engine.settings import ConfigurationError, Settings, load_settings
from halo_engine.work import OrgRef

from .broker.deliveries import forward
from .connections import broker
from .queue_names import CALLS_QUEUE, queues_of

#: The refusal of a token whose organisation is not known, too.
_BAD_TOKEN: Final = "bad_token"


class InOtherCells(Exception):  # noqa: N818 -- nothing is wrong with the call
    """A call that workers of other ``cells`` have to do."""

    def __init__(self, *cells: str) -> None:
        super().__init__(*cells)
        self.cells = cells


class NotSentOn(Exception):  # noqa: N818 -- the broker's trouble, no fault of ours
    """The broker did not say that messages went on to another cell.

    Those that did not go are in hand still. It does no harm to send all on again, or to hand all
    back: neither touches what went.
    """


def require_cell(settings: Settings) -> None:
    """Raise ConfigurationError if there are cells, and the settings name none to work for."""
    if settings.directory_url is not None and settings.cell is None:
        problem = "HALO_CELL is not set; write the name of the cell to work for"
        raise ConfigurationError(f"{problem}, since HALO_DIRECTORY_URL is set")


def require_own_database(settings: Settings) -> None:
    """Raise ConfigurationError if HALO_DATABASE_URL is not the cell's database: calls would go
    round and round. Servers that do not answer now are believed.
    """
    require_cell(settings)
    if settings.cell is None:
        return
    cells = ask_each({"": partial(cells_at, settings.required_directory_url())})[""]
    if cells is None:
        return
    if settings.cell not in cells:
        named_ = ", ".join(cells) or "none"
        raise ConfigurationError(f"HALO_CELL: there is no cell {settings.cell}; there are {named_}")
    identity = ask_each({"": partial(identity_at, settings.required_database_url())})[""]
    if identity is not None and identity != cells[settings.cell].identity:
        problem = f"it is not the database of the cell {settings.cell}, which HALO_CELL names"
        raise ConfigurationError(f"HALO_DATABASE_URL: {problem}")


@cache
def own_cell() -> str | None:
    """Return the cell that this worker works for; None if there is one database alone."""
    return load_settings().cell


@cache
def finder() -> Finder:
    """Return what finds cells for this process."""
    directory = KnownDirectory.at(load_settings().required_directory_url())
    directory.read_on()
    return Finder(directory)


def named_in(fields: Mapping[str, Any]) -> OrgRef | None:
    """Return the organisation that a task's fields name; None if they name none."""
    widget_key, key, token = (fields.get(name) for name in ("widget_key", "org", "token"))
    if isinstance(widget_key, str):
        return OrgRef(widget_key=widget_key)
    if isinstance(key, str):
        return OrgRef(key=key)
    if isinstance(token, str):
        try:
            return OrgRef(id=organization_of(token))
        except Refusal:
            return None
    return None


def require_own(fields: Mapping[str, Any], request: Any) -> None:
    """Raise InOtherCells if the organisation that is named lives in another cell."""
    org = named_in(fields)
    if org is not None:
        _require(other_cell(org, request))


def other_cell(org: OrgRef, request: Any) -> str | None:
    """Return the cell where an organisation lives; None if that is this one, or is to be tried.

    ``request`` is the running task's. What was sent to this cell is tried here: its sender may know
    better than the directory. What this process does not know is looked up; where that gets no
    answer, this cell is tried.
    """
    if own_cell() is None or queue_of(request) != CALLS_QUEUE:
        return None
    cell = finder().known(org)
    if cell is None:
        try:
            cell = finder().look_up(org)
        except NoAnswer:
            return None
    return None if cell == own_cell() else cell


def require_known(fields: Mapping[str, Any], refusal: Refusal) -> None:
    """Raise InOtherCells if an organisation that this cell does not know is another one's.

    Raises NoAnswer where that cannot be said.
    """
    org = named_in(fields)
    if org is not None:
        _require(cell_after(org, [refusal]))


def cell_after(org: OrgRef, outcomes: Sequence[Any]) -> str | None:
    """Return the cell of an organisation whose calls were all refused since this one does not know
    it; None if no other does.

    Raises NoAnswer where that cannot be said.
    """
    if own_cell() is None or not all(is_unknown(each, _BAD_TOKEN) for each in outcomes):
        return None
    cell = finder().look_up(org)
    return None if cell == own_cell() else cell


def note_moved(org: OrgRef, cell: str) -> None:
    """Note that an organisation lives in that cell now."""
    finder().directory.note_moved(org, cell)


def require_mail(raw: bytes, sender_domain: str) -> None:
    """Raise InOtherCells if a raw mail is about another cell's mail, or about that of a cell that
    does not answer.

    Raises NoAnswer while this worker knows no cells.
    """
    finder().directory.all_cells()
    try:
        found = finder().ask_all(of_mail(raw, sender_domain))
    except NoAnswer as silent:
        _require(next((name for name in sorted(silent.silent) if name != own_cell()), None))
    else:
        _require(found and found[0])


def queue_of(request: Any) -> str:
    """Return the queue that the running task's message was taken from."""
    return str((request.delivery_info or {}).get("routing_key"))


def require_everywhere(request: Any) -> None:
    """Raise InOtherCells with all cells for a call about the whole installation, once: as an
    application sent it. Raises NoAnswer while this worker knows no cells.
    """
    if queue_of(request) == CALLS_QUEUE and len(cells := finder().directory.all_cells()) > 1:
        raise InOtherCells(*sorted(cells))


def _require(cell: str | None) -> None:
    if cell is not None and cell != own_cell():
        raise InOtherCells(cell)


def cells_of(error: Exception, fields: Mapping[str, Any]) -> Sequence[str]:
    """Return the cells to which an error says that the call belongs; none for any other error."""
    if isinstance(error, InOtherCells):
        return error.cells
    cell = moved_to(error)
    if cell is None or own_cell() is None:
        return ()
    if (org := named_in(fields)) is not None:
        note_moved(org, cell)
    return (cell,)


def send_on(broker_url: str, tags: Iterable[str], cells: Sequence[str]) -> None:
    """Put messages in hand into the calls of other cells; they are in hand no more.

    Raises NotSentOn if the broker is away, or the task's soft time limit comes.
    """
    try:
        forward(broker(broker_url), tags, [queues_of(cell).calls for cell in cells])
    except (redis.RedisError, OSError, SoftTimeLimitExceeded) as error:
        raise NotSentOn(f"broker: {type(error).__name__}") from None


def sent_on(broker_url: str, request: Any, cells: Sequence[str]) -> Ignore:
    """Send the running task's message on; return what ends the task without an answer.

    Raises NotSentOn as ``send_on`` does.
    """
    send_on(broker_url, [(request.properties or {})["delivery_tag"]], cells)
    return Ignore()
