"""The task of calls that were taken from the broker together (``broker.gathering``)."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple

import structlog
from celery import states
from celery.exceptions import SoftTimeLimitExceeded

from halo_engine.database import MovedAway
from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.times.instants import format_instant
from halo_engine.doors.acts import Write
from halo_engine.doors.door import as_data
from halo_engine.doors.table import DOORS
from halo_engine.sets import SetCall
from halo_engine.work import OrgRef

from ..app import app
from ..broker.gathering import TASK
from ..broker.scripts import GATHERED
from ..cells import cell_after, note_moved, other_cell, send_on
from ..circling import PAUSE_SECONDS, SENT_ON
from ..engine import engine
from ..engine_task import EngineTask, server_trouble
from ..outage import outage
from ..results import store_results
from ..tracing.causes import caused_by, joined
from ..tracing.messages import cause_in
from ..tracing.spans import span
from .doors import FromApp

_DOORS: Final = {f"halo.{name}": door for name, door in DOORS.items()}

#: In seconds: how long calls wait for the broker to send them elsewhere, once others of their set
#: are done. If all went back to their queue, those would be done twice.
_PATIENCE_SECONDS: Final = 20.0
_LONGEST_PAUSE_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class _Call(NamedTuple):
    """A call as it was sent, and the door that does it."""

    sent: Mapping[str, Any]
    org: OrgRef
    call: SetCall


@app.task(name=TASK, ignore_result=True, bind=True)
def gathered(task: EngineTask, /, calls: Sequence[Mapping[str, Any]]) -> None:
    """Do the calls of each organisation as a set, and store an answer for each.

    A call goes alone, as a message of its own, if it meets an error that is no refusal, or a
    contact that is not known yet. Calls of another cell's organisation go on to that cell; one that
    comes back from there waits for a while.
    """
    came_at = datetime.now(UTC)
    by_org, answers = _by_organization(calls, task.request)
    anything_done = False
    for org, mine in by_org.items():
        try:
            outcomes, cell = _done(org, mine)
        except Exception as error:
            if not anything_done and server_trouble(error) is not None:
                # Nothing is committed: all messages go back to their queue.
                raise
            answers += [(each.sent, error) for each in mine]
        else:
            if cell is not None:
                rest = [each for each in mine if not SENT_ON.has(each.sent["id"])]
                answers += [(each.sent, MovedAway(cell)) for each in mine if each not in rest]
                _send_on(rest, cell, _PATIENCE_SECONDS if anything_done else 0.0)
                continue
            anything_done = True
            answers += zip([each.sent for each in mine], outcomes, strict=True)
    _answer(answers, came_at, _PATIENCE_SECONDS if anything_done else 0.0)


def _done(org: OrgRef, calls: Sequence[_Call]) -> tuple[Sequence[Any], str | None]:
    """Do an organisation's calls; return their outcomes, and the cell that is to do them instead,
    if it lives there.
    """
    cause = joined(cause_in(each.sent["caused_by"]) for each in calls)
    try:
        with span("set", cause, calls=len(calls)):
            outcomes = engine().perform_set(org, [each.call for each in calls])
    except MovedAway as moved:
        note_moved(org, moved.cell)
        return (), moved.cell
    return outcomes, cell_after(org, outcomes)


def _by_organization(
    calls: Sequence[Mapping[str, Any]], request: Any
) -> tuple[Mapping[OrgRef, Sequence[_Call]], list[tuple[Mapping[str, Any], Any]]]:
    """Return the calls by organisation, and those that are refused; send on those of others."""
    by_org: dict[OrgRef, list[_Call]] = {}
    refused: list[tuple[Mapping[str, Any], Any]] = []
    for sent in calls:
        try:
            read = _read(sent)
        except Refusal as refusal:
            refused.append((sent, refusal))
        else:
            by_org.setdefault(read.org, []).append(read)
    for org in [*by_org]:
        if (cell := other_cell(org, request)) is not None:
            _send_on(by_org.pop(org), cell)
    return by_org, refused


def _send_on(calls: Sequence[_Call], cell: str, patience_seconds: float = 0.0) -> None:
    """Send calls on to another cell, and wait so long for the broker. Then NotSentOn is raised: the
    whole set goes back.
    """
    tags = [each.sent["tag"] for each in calls]
    _until_sent(lambda: send_on(app.conf.broker_url, tags, [cell]), patience_seconds)
    for each in calls:
        SENT_ON.add(each.sent["id"])


def _until_sent(send: Callable[[], object], patience_seconds: float) -> None:
    """Send, and wait so long for the broker; then its error is raised."""
    ends = time.monotonic() + patience_seconds
    while True:
        try:
            send()
        except Exception as error:
            if server_trouble(error) is None or time.monotonic() >= ends:
                raise
            with suppress(SoftTimeLimitExceeded):
                outage.pause(longest=_LONGEST_PAUSE_SECONDS)
        else:
            return


def _read(sent: Mapping[str, Any]) -> _Call:
    task, fields = sent["task"], dict(sent["fields"])
    assert task in GATHERED
    door = _DOORS[task]
    assert isinstance(door.act, Write)
    assert door.act.as_set is not None
    given = {key: fields.pop(key) for key in FromApp.model_fields if key in fields}
    sender = validated(FromApp, given, task)
    if sender.sent_at is not None and "sent_at" in door.call.model_fields:
        fields["sent_at"] = sender.sent_at
    call = SetCall(door.act.as_set, door.read(fields))
    return _Call(sent, OrgRef(widget_key=sender.widget_key), call)


def _answer(
    answers: Sequence[tuple[Mapping[str, Any], Any]], came_at: datetime, patience_seconds: float
) -> None:
    results: dict[str, Any] = {}
    for sent, outcome in answers:
        with caused_by(cause_in(sent["caused_by"])):
            if isinstance(outcome, Refusal) and outcome.code != "unknown_contact":
                _log.info("refused", call=sent["task"], status=outcome.status, code=outcome.code)
                result = {"refused": outcome.as_dict()}
            elif isinstance(outcome, Exception):
                pause = PAUSE_SECONDS if isinstance(outcome, MovedAway) else None
                send = partial(_send_alone, sent, came_at, pause)
                _until_sent(send, patience_seconds)
                continue
            else:
                result = as_data(outcome)
        if sent["wants_answer"]:
            results[sent["id"]] = result
    try:
        store_results(app.backend, results, states.SUCCESS)
    except Exception as error:
        # What is committed must not come again: an event without a key would count twice.
        if server_trouble(error) is None:
            raise
        _log.warning("answers lost", calls=len(results))


def _send_alone(sent: Mapping[str, Any], came_at: datetime, pause_seconds: float | None) -> None:
    """Send a call again, as a message of its own. It comes behind later calls and must not undo
    them: unless it has a ``sent_at``, it counts as sent when it came.
    """
    task: Any = app.tasks[sent["task"]]
    fields = sent["fields"]
    task.apply_async(
        kwargs={**fields, "sent_at": fields.get("sent_at") or format_instant(came_at)},
        task_id=sent["id"],
        ignore_result=not sent["wants_answer"],
        countdown=pause_seconds,
        # This header keeps it from being gathered again.
        retries=1,
    )
