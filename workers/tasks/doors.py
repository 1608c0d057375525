"""The doors as tasks: each door of the table is the task ``halo.NAME`` (decision 35)."""

from datetime import UTC, datetime
from typing import Any, Final

from pydantic import create_model

from halo_engine.contacts.calls import Call, Identifier, SentAt
from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.times.instants import format_instant
from halo_engine.doors.acts import Follow, Manage, Unfinished, Write
from halo_engine.doors.door import AnyDoor, as_data
from halo_engine.doors.table import DOORS
from halo_engine.mail.incoming.receive import ReceiveCall
from halo_engine.operators.origin import Origin, Via
from halo_engine.work import OrgRef

from ..app import app
from ..cells import own_cell, require_everywhere, require_mail
from ..engine import engine
from ..engine_task import EngineTask
from ..orders import OperatorTask, sending_time

#: How often a task for an unknown contact is retried: for about a minute in all (contract §2).
_OVERTAKEN_RETRIES = 12
_OVERTAKEN_PAUSE_SECONDS = 5

#: The origin of calls by applications and by people who follow a link: no operator's.
_FROM_APP: Final = Origin(by="app", via=Via.APP)


class FromApp(Call):
    """The fields of every application's call besides its own: the organisation's widget key, and
    when the call was sent, which some doors use.
    """

    widget_key: Identifier
    sent_at: SentAt = None


class _Operators(Call):
    """The field of every operator's call besides its own: the organisation's key."""

    org: Identifier


class _Anybodys(Call):
    """The field of a call about one organisation or about all: the key of the one, if any."""

    org: Identifier | None = None


class _Signed(Call):
    """The field of a call that changes something: in whose name."""

    by: Identifier = "operator"


def _application_task(door: AnyDoor) -> None:
    """Make the task of a door by which an application writes."""

    @app.task(name=door.task, bind=True)
    def run(task: EngineTask, /, **fields: Any) -> Any:
        given = {key: fields.pop(key) for key in FromApp.model_fields if key in fields}
        sender = validated(FromApp, given, door.task)
        sent_at = sending_time(task.request, sender.sent_at)
        dated = {"sent_at": sent_at} if "sent_at" in door.call.model_fields else {}
        call = door.read({**fields, **dated})
        try:
            answer = door.run(engine(), OrgRef(widget_key=sender.widget_key), call, _FROM_APP)
        except Refusal as refusal:
            # Tasks overtake each other: the identify that creates the contact may still be waiting.
            overtaken = refusal.code == "unknown_contact"
            if overtaken and task.request.retries < _OVERTAKEN_RETRIES:
                again = {**given, **fields, "sent_at": sent_at or format_instant(datetime.now(UTC))}
                raise task.retry(
                    kwargs=again,
                    countdown=_OVERTAKEN_PAUSE_SECONDS,
                    max_retries=_OVERTAKEN_RETRIES,
                ) from None
            raise
        return as_data(answer)


def _open_task(door: AnyDoor) -> None:
    """Make the task of a door whose call names the organisation itself: by a token, or a mail."""

    @app.task(name=door.task)
    def run(**fields: Any) -> Any:
        call = door.read(fields)
        if isinstance(call, ReceiveCall) and own_cell() is not None:
            require_mail(call.raw, engine().post.sender.domain)
        return as_data(door.run(engine(), None, call, _FROM_APP))


def _operators_task(door: AnyDoor) -> None:
    """Make the task of a door that operators use."""
    whose = _Anybodys if isinstance(door.act, Manage) else _Operators
    signed = (_Signed,) if door.act.changes else ()
    # One model of all the fields, so that a refusal names them all.
    model: type[Any] = create_model(door.call.__name__, __base__=(*signed, door.call, whose))

    @app.task(base=OperatorTask, name=door.task, bind=True)
    def run(task: OperatorTask, /, **fields: Any) -> Any:
        call: Any = validated(model, fields, door.task)
        org = None if call.org is None else OrgRef(key=call.org)
        if org is None and door.act.changes and own_cell() is not None:
            require_everywhere(task.request)
        origin = Origin(getattr(call, "by", "operator"), Via.TASK, task.sent_at)
        answer = door.run(engine(), org, call, origin)
        if isinstance(answer, Unfinished):
            task.delay(**answer.rest.model_dump(mode="json", exclude_unset=True))
            answer = answer.answer
        return as_data(answer)


def _make_task(door: AnyDoor) -> None:
    if isinstance(door.act, Write):
        _application_task(door)
    elif isinstance(door.act, Follow) or (isinstance(door.act, Manage) and not door.act.takes_org):
        _open_task(door)
    else:
        _operators_task(door)


for _door in DOORS.values():
    _make_task(_door)
