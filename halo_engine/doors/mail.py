"""The doors of mail: its links, what comes in, samples, retries, and stops (contract §9)."""

import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from halo_engine.database import run_in_transaction
from halo_engine.domain.roles import Role
from halo_engine.doors.acts import Flow, Follow, Manage, Unfinished
from halo_engine.doors.calls import BareCall
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.trails import About, nothing, the_contact, the_series
from halo_engine.engine import Engine
from halo_engine.mail.composing.samples import (
    SampleCall,
    SendTestCall,
    SentTest,
    ShownMail,
    send_test,
    show_mail,
    write_test,
)
from halo_engine.mail.incoming.confirmations import (
    Confirmation,
    confirm,
    look_at_confirmation,
)
from halo_engine.mail.incoming.links import (
    Clicked,
    FollowCall,
    Left,
    LinkCall,
    Looked,
    Opened,
    click_by_link,
    look_at_link,
    open_by_link,
    unsubscribe_by_link,
)
from halo_engine.mail.incoming.preferences import (
    ChooseCall,
    Chosen,
    Preferences,
    choose,
    look_at_preferences,
)
from halo_engine.mail.incoming.receive import ReceiveCall, Received
from halo_engine.mail.sending.retrying.retries import RetryCall, RetryTally, one_turn, tally
from halo_engine.mail.sending.stops import Sending, show_sending, start_sending, stop_sending
from halo_engine.operators.audit import AuditedChange, State, note_everywhere
from halo_engine.operators.origin import Origin
from halo_engine.series.lifecycle import find_series
from halo_engine.settings import TURN_SECONDS
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations
from halo_engine.work import OrgRef, Work


class RetryTurn(RetryTally):
    """The outcomes of the emails tried in this turn; ``done`` says that nothing follows.

    Then all were tried, or mail is ``stopped``.
    """

    done: bool


def _receive(engine: Engine, _org: OrgRef | None, call: ReceiveCall, _: Origin) -> Received:
    return engine.receive(call.raw)


def _render(engine: Engine, org: OrgRef, call: SampleCall, _: Origin) -> ShownMail:
    return engine.ask(org, lambda work: show_mail(work, engine.post.sender, call))


def _send_test(engine: Engine, org: OrgRef, call: SendTestCall, _: Origin) -> SentTest:
    # As a change, so that the audit log notes who had a test sent.
    written = engine.perform(org, lambda work: write_test(work, engine.post.sender, call))
    return send_test(engine.post.transport, written, call)


def _retry_failed(
    engine: Engine, org: OrgRef, call: RetryCall, _: Origin
) -> RetryTurn | Unfinished[RetryCall, RetryTurn]:
    if not call.after:
        # The audit log's entry; the mails are transactions of their own.
        engine.perform(org, lambda work: find_series(work, call.series))
    ends = time.monotonic() + TURN_SECONDS
    retried, after = one_turn(engine.retry_failed(org, call), lambda: time.monotonic() > ends)
    turn = RetryTurn(**dict(tally(call, retried)), done=after is None)
    if after is None:
        return turn
    return Unfinished(turn, call.model_copy(update={"after": after}))


def _stop(engine: Engine, org: OrgRef | None, _call: BareCall, origin: Origin) -> Sending:
    return _change(
        engine,
        org,
        lambda mail, key: stop_sending(mail, key, origin.by, origin.sent_at),
        "sending.stop",
        origin,
    )


def _start(engine: Engine, org: OrgRef | None, _call: BareCall, origin: Origin) -> Sending:
    started = _change(
        engine,
        org,
        lambda mail, key: start_sending(mail, key, origin.sent_at),
        "sending.start",
        origin,
    )
    engine.ring_for_all()
    return started


def _show(engine: Engine, org: OrgRef | None, _call: BareCall, _: Origin) -> Sending:
    if org is not None:
        return engine.ask(org, lambda work: show_sending(work.connection, work.org.key))
    return run_in_transaction(engine.database, show_sending)


def _change(
    engine: Engine,
    org: OrgRef | None,
    change: Callable[[Connection, str | None], Sending],
    action: str,
    origin: Origin,
) -> Sending:
    if org is not None:
        return engine.perform(org, lambda work: change(work.connection, work.org.key))

    def changed(connection: Connection) -> Sending:
        note_everywhere(connection, origin, action, AuditedChange(None))
        return change(connection, None)

    return run_in_transaction(engine.database, changed)


def _stopped_by(work: Work, _call: BareCall) -> State:
    """Return who stopped the organisation's mail; a stop of all mail does not count."""
    return {"stopped_by": work.connection.execute(_read_stopped_by(work)).scalar_one()}


@statement("read_who_stopped_mail")
def _read_stopped_by(work: Work) -> Select[Any]:
    return select(organizations.c.sending_stopped_by).where(organizations.c.id == work.org_id)


_STOP: Final = About(nothing, _stopped_by)


DOORS: Final[tuple[AnyDoor, ...]] = (
    Door(
        "links.unsubscribe",
        "Unsubscribe a mail's contact from its list, or from everything.",
        LinkCall,
        Left,
        None,
        Follow(unsubscribe_by_link),
    ),
    Door(
        "links.open",
        "Note that a mail was opened.",
        FollowCall,
        Opened,
        None,
        Follow(open_by_link),
    ),
    Door(
        "links.click",
        "Note that a link of a mail was clicked, and say where it leads.",
        FollowCall,
        Clicked,
        None,
        Follow(click_by_link),
    ),
    Door(
        "links.look",
        "Say what a link of a mail is for.",
        LinkCall,
        Looked,
        None,
        Follow(look_at_link, changes=False),
    ),
    Door(
        "links.preferences",
        "Say which lists a mail's reader can leave, or join again.",
        LinkCall,
        Preferences,
        None,
        Follow(look_at_preferences, changes=False),
    ),
    Door(
        "links.choose",
        "Leave and join lists as a mail's reader chose, or leave everything.",
        ChooseCall,
        Chosen,
        None,
        Follow(choose),
    ),
    Door(
        "links.confirmation",
        "Say which list a link confirms.",
        LinkCall,
        Confirmation,
        None,
        Follow(look_at_confirmation, changes=False),
    ),
    Door(
        "links.confirm",
        "Confirm a list: whoever waits for that joins it.",
        LinkCall,
        Confirmation,
        None,
        Follow(confirm),
    ),
    Door(
        "mail.receive",
        "Take in a mail: note a reply, suppress the address of a permanent bounce.",
        ReceiveCall,
        Received,
        None,
        Manage(_receive),
    ),
    Door(
        "series.render",
        "Show the email that a contact would get at a step.",
        SampleCall,
        ShownMail,
        Role.VIEWER,
        Flow(_render, changes=False),
    ),
    Door(
        "series.send_test",
        "Send the email of a step to an address as a test; nothing is recorded for the contact.",
        SendTestCall,
        SentTest,
        Role.EDITOR,
        Flow(_send_test),
        About(the_contact, says=("series", "step")),
    ),
    Door(
        "series.retry_failed",
        "Send failed emails again, for one turn; workers go on with the rest.",
        RetryCall,
        RetryTurn,
        Role.EDITOR,
        Flow(_retry_failed),
        About(the_series, says=("step", "reason")),
    ),
    Door(
        "sending.stop",
        "Stop mail from now on; it waits.",
        BareCall,
        Sending,
        Role.EDITOR,
        Manage(_stop, takes_org=True),
        _STOP,
    ),
    Door(
        "sending.start",
        "Start mail again after a stop; mail that is due is sent.",
        BareCall,
        Sending,
        Role.ADMIN,
        Manage(_start, takes_org=True),
        _STOP,
    ),
    Door(
        "sending.show",
        "Say what holds mail.",
        BareCall,
        Sending,
        Role.VIEWER,
        Manage(_show, changes=False, takes_org=True),
    ),
)
