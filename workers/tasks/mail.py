"""Mail as tasks: its links, what comes in, samples, retries, and stops (contract §9)."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Connection

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.mail_links import (
    LinkCall,
    click_by_link,
    look_at_link,
    open_by_link,
    unsubscribe_by_link,
)
from halo_engine.contacts.receive import ReceiveCall
from halo_engine.database import run_in_transaction
from halo_engine.delivery.retries import RetryCall, one_turn, tally
from halo_engine.delivery.samples import (
    SampleCall,
    SendTestCall,
    send_test,
    show_mail,
    write_test,
)
from halo_engine.delivery.stops import Sending, show_sending, start_sending, stop_sending
from halo_engine.domain.errors import validated
from halo_engine.settings import TURN_SECONDS
from halo_engine.work import OrgRef, Work
from workers.app import app
from workers.engine import engine
from workers.orders import OperatorTask
from workers.tasks.beat import ring_for_all
from workers.tasks.calls import OrganizationCall


def _link(name: str, door: Callable[[Work, LinkCall], BaseModel], *, reads: bool) -> None:
    """Make the task form of what a link in a mail does; its token names the organisation (§9)."""

    @app.task(name=name)
    def run(**fields: Any) -> Any:
        asked = validated(LinkCall, fields, name)
        answered = engine().redeem(asked.token, lambda work: door(work, asked), reads=reads)
        return answered.model_dump(mode="json")


#: What the links in a mail do: HTTP's POST for the first, GET for the others (RFC 8058).
LINKS: Final[Mapping[str, Callable[[Work, LinkCall], BaseModel]]] = {
    "halo.links.unsubscribe": unsubscribe_by_link,
    "halo.links.open": open_by_link,
    "halo.links.click": click_by_link,
    "halo.links.look": look_at_link,
}
for _name, _follow in LINKS.items():
    _link(_name, _follow, reads=_follow is look_at_link)


@app.task(name="halo.mail.receive")
def receive_mail(**call: Any) -> Any:
    """Take in a mail: a reply is noted, a hard bounce suppresses (contract §2); it names whose."""
    asked = validated(ReceiveCall, call, "halo.mail.receive")
    return engine().receive(asked.message.encode(errors="replace")).model_dump(mode="json")


class _SampleCall(OrganizationCall, SampleCall):
    """Such an email of an organisation's."""


@app.task(base=OperatorTask, name="halo.series.render")
def render_mail(**fields: Any) -> Any:
    """Return the email that a contact would get at a step (contract §9)."""
    asked = validated(_SampleCall, fields, "halo.series.render")
    sender = engine().post.sender
    shown = engine().ask(OrgRef(key=asked.org), lambda work: show_mail(work, sender, asked))
    return shown.model_dump(mode="json")


class _SendTestCall(OrganizationCall, SendTestCall):
    """Such a test of an organisation's."""


@app.task(base=OperatorTask, name="halo.series.send_test")
def send_test_mail(**fields: Any) -> Any:
    """Send that email to an address; neither the contact nor the series knows of it."""
    asked = validated(_SendTestCall, fields, "halo.series.send_test")
    org, post = OrgRef(key=asked.org), engine().post
    message = engine().ask(org, lambda work: write_test(work, post.sender, asked))
    return send_test(post.transport, message, asked).model_dump(mode="json")


class _RetryCall(OrganizationCall, RetryCall):
    """Such emails of an organisation's."""


@app.task(base=OperatorTask, name="halo.series.retry_failed")
def retry_failed_mail(**fields: Any) -> Any:
    """Send failed emails again (contract §9), for one turn; a new task goes on with the rest.

    ``done`` says that no task follows: all were tried, or mail is ``stopped``.
    """
    asked = validated(_RetryCall, fields, "halo.series.retry_failed")
    ends = time.monotonic() + TURN_SECONDS
    retrying = engine().retry_failed(OrgRef(key=asked.org), asked)
    retried, after = one_turn(retrying, lambda: time.monotonic() > ends)
    if after is not None:
        retry_failed_mail.delay(**{**fields, "after": after})
    return {**tally(asked, retried).model_dump(mode="json"), "done": after is None}


class _Holding(Call):
    """Whose mail: one organisation's, or without ``org`` everybody's."""

    org: Identifier | None = None


class _Stopping(_Holding):
    """Also who stops it."""

    by: Identifier = "operator"


def _held(change: Callable[[Connection], Sending]) -> dict[str, Any]:
    return run_in_transaction(engine().database, change).model_dump(mode="json")


@app.task(base=OperatorTask, name="halo.sending.stop", bind=True)
def stop_mail(task: OperatorTask, /, **fields: Any) -> dict[str, Any]:
    """Hold all mail of an organisation, or of all, from now on (contract §9)."""
    asked, sent_at = validated(_Stopping, fields, "halo.sending.stop"), task.sent_at
    return _held(lambda connection: stop_sending(connection, asked.org, asked.by, sent_at))


@app.task(base=OperatorTask, name="halo.sending.start", bind=True)
def start_mail(task: OperatorTask, /, **fields: Any) -> dict[str, Any]:
    """End that stop, and ring for those whose mail is due (contract §9)."""
    asked, sent_at = validated(_Holding, fields, "halo.sending.start"), task.sent_at
    answered = _held(lambda connection: start_sending(connection, asked.org, sent_at))
    ring_for_all()
    return answered


@app.task(base=OperatorTask, name="halo.sending.show")
def show_what_holds_mail(**fields: Any) -> dict[str, Any]:
    """Say what holds an organisation's mail, or anybody's (contract §9)."""
    asked = validated(_Holding, fields, "halo.sending.show")
    return _held(lambda connection: show_sending(connection, asked.org))
