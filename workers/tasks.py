"""Every task: what beat and doorbells send, what applications call, what operators call (contract
§2, §8).

A task is a few lines around a function of the engine; refusals come back as data.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from halo_engine.answers.diagnose import diagnose
from halo_engine.answers.explain import Explanation, explain
from halo_engine.answers.funnel import funnel
from halo_engine.answers.ledger import ledger
from halo_engine.answers.overview import overview
from halo_engine.answers.preview import PAGE, Preview, preview
from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.companies import IdentifyCompanyCall, identify_company
from halo_engine.contacts.csv_import import ImportCsvCall, import_csv
from halo_engine.contacts.erasure import EraseContactCall, erase_contact, erase_organization
from halo_engine.contacts.finding import find_contacts
from halo_engine.contacts.identify import IdentifyCall, identify
from halo_engine.contacts.leads import (
    AddContactCall,
    CaptureLeadCall,
    add_contact,
    capture_lead,
)
from halo_engine.contacts.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.mail_events import MailCall, click_mail, open_mail, reply_to_mail
from halo_engine.contacts.mail_links import (
    LinkCall,
    click_by_link,
    look_at_link,
    open_by_link,
    unsubscribe_by_link,
)
from halo_engine.contacts.receive import ReceiveCall
from halo_engine.contacts.stripe import StripeSubscriptionCall, stripe_subscription
from halo_engine.contacts.stripe_sync import (
    StripeSyncCall,
    StripeWebhookCall,
    stripe_sync,
    stripe_webhook,
)
from halo_engine.contacts.suppression import BounceCall, bounce
from halo_engine.contacts.sync import SyncCall, sync
from halo_engine.contacts.track import TrackCall, track
from halo_engine.contacts.update import UpdateCall, update
from halo_engine.database import run_in_transaction
from halo_engine.delivery.retries import Retried, RetryCall, tally
from halo_engine.delivery.samples import (
    SampleCall,
    SendTestCall,
    send_test,
    show_mail,
    write_test,
)
from halo_engine.delivery.stops import Sending, show_sending, start_sending, stop_sending
from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.series import Series
from halo_engine.journey.removal import remove, stop_series
from halo_engine.pipeline.agenda import note_tick, organizations_with_work
from halo_engine.series import lifecycle
from halo_engine.series.apply import apply_definitions
from halo_engine.series.check import check
from halo_engine.series.files import parse_series
from halo_engine.series.showing import show_series
from halo_engine.work import OrgRef, Work
from workers.app import app
from workers.doorbell import answer, ring
from workers.engine import engine
from workers.engine_task import EngineTask

#: A task that runs longer than this hands the rest to a new one, so that organisations take turns.
_TURN_SECONDS = 10.0
#: How often a task that met an unknown contact tries again: about a minute in all (contract §2).
_OVERTAKEN_RETRIES = 12
_OVERTAKEN_PAUSE_SECONDS = 5

_log = structlog.get_logger(__name__)


@app.task(name="halo.tick")
def tick() -> int:
    """Ring for every organisation that has something to do; return how many there are."""
    with engine().database.begin() as connection:
        note_tick(connection)
        waiting = organizations_with_work(connection)
    for org_id in waiting:
        ring(org_id)
    return len(waiting)


@app.task(name="halo.settle", ignore_result=True)
def settle(org_id: str) -> None:
    """Handle the organisation's signals, due rows and due re-evaluation, for one turn at most."""
    organization = UUID(org_id)
    answer(organization)
    ends = time.monotonic() + _TURN_SECONDS
    for moved in engine().tick(organization):
        _log.info("moved", org_id=org_id, what=str(moved))
        if time.monotonic() > ends:
            ring(organization)
            return


class _Knock(Call):
    """What every call of a door names beside what it says: the organisation, by its widget key."""

    widget_key: Identifier


class _Operation(Call):
    """What an operator does: to which series, of which organisation, in whose name."""

    org: Identifier
    series: Identifier
    by: Identifier = "operator"


def _door(name: str, call: type[Call], door: Callable[[Work, Any], BaseModel]) -> None:
    """Make the task form of a door; the organisation is named by its widget key (contract §2)."""

    @app.task(name=name, bind=True)
    def run(task: EngineTask, /, **fields: Any) -> Any:
        knocking = validated(_Knock, {"widget_key": fields.pop("widget_key", None)}, name)
        asked = validated(call, fields, name)
        try:
            answered = engine().perform(
                OrgRef(widget_key=knocking.widget_key), lambda work: door(work, asked)
            )
        except Refusal as refusal:
            # Tasks overtake each other: the identify that creates the contact may be on its way.
            overtaken = refusal.code == "unknown_contact"
            if overtaken and task.request.retries < _OVERTAKEN_RETRIES:
                raise task.retry(
                    countdown=_OVERTAKEN_PAUSE_SECONDS, max_retries=_OVERTAKEN_RETRIES
                ) from None
            raise
        return answered.model_dump(mode="json")


def _operation(name: str, change: Callable[[Work, str, str], Series]) -> None:
    """Make the task form of what an operator does to a series (contract §8)."""

    @app.task(name=name)
    def run(**fields: Any) -> dict[str, str]:
        asked = validated(_Operation, fields, name)

        def changed(work: Work) -> dict[str, str]:
            change(work, asked.series, asked.by)
            status = lifecycle.find_series(work, asked.series).status
            return {"series": asked.series, "status": status}

        return engine().perform(OrgRef(key=asked.org), changed)


#: The doors of contract §2, each under the name by which applications call it.
DOORS: Final[Mapping[str, tuple[type[Call], Callable[[Work, Any], BaseModel]]]] = {
    "halo.identify": (IdentifyCall, identify),
    "halo.companies.identify": (IdentifyCompanyCall, identify_company),
    "halo.track": (TrackCall, track),
    "halo.users.update": (UpdateCall, update),
    "halo.contacts.import_csv": (ImportCsvCall, import_csv),
    "halo.contacts.add": (AddContactCall, add_contact),
    "halo.contacts.sync": (SyncCall, sync),
    "halo.contacts.erase": (EraseContactCall, erase_contact),
    "halo.leads.capture": (CaptureLeadCall, capture_lead),
    "halo.stripe.subscription": (StripeSubscriptionCall, stripe_subscription),
    "halo.stripe.sync": (StripeSyncCall, stripe_sync),
    "halo.stripe.webhook": (StripeWebhookCall, stripe_webhook),
    "halo.lists.subscribe": (SubscribeCall, subscribe),
    "halo.lists.unsubscribe": (UnsubscribeCall, unsubscribe),
    "halo.mail.bounced": (BounceCall, bounce),
    "halo.mail.opened": (MailCall, open_mail),
    "halo.mail.clicked": (MailCall, click_mail),
    "halo.mail.replied": (MailCall, reply_to_mail),
}
for _name, (_call, _function) in DOORS.items():
    _door(_name, _call, _function)


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


def _question(name: str, ask: Callable[[Work, Series], BaseModel]) -> None:
    """Make the task form of a question about a series, which changes nothing (contract §10)."""

    @app.task(name=name)
    def run(org: str, series: str) -> Any:
        answer = engine().ask(
            OrgRef(key=org), lambda work: ask(work, lifecycle.find_series(work, series))
        )
        return answer.model_dump(mode="json")


#: What operators do to a series (contract §8).
OPERATIONS: Final[Mapping[str, Callable[[Work, str, str], Series]]] = {
    "halo.series.activate": lifecycle.activate,
    "halo.series.pause": lifecycle.pause,
    "halo.series.resume": lifecycle.resume,
}
for _name, _change in OPERATIONS.items():
    _operation(_name, _change)

#: What operators ask about a series (contract §10).
QUESTIONS: Final[Mapping[str, Callable[[Work, Series], BaseModel]]] = {
    "halo.series.check": check,
    "halo.series.show": lambda work, series: show_series(work, series.key),
    "halo.series.diagnose": diagnose,
    "halo.series.ledger": ledger,
    "halo.series.funnel": funnel,
}
for _name, _ask in QUESTIONS.items():
    _question(_name, _ask)


@app.task(name="halo.series.apply")
def apply_series(org: str, series: dict[str, Any], dry_run: bool = False) -> list[Any]:
    """Save the definitions that ``series`` holds by key, those that differ; all or nothing (§8)."""
    definitions = parse_series({"series": series}, "halo.series.apply")
    applied = engine().perform(
        OrgRef(key=org), lambda work: apply_definitions(work, definitions, dry_run=dry_run)
    )
    return [each.model_dump(mode="json") for each in applied]


@app.task(name="halo.series.list")
def list_series(org: str) -> list[Any]:
    """Return a line for each series of the organisation, in order of creation."""
    return [each.model_dump(mode="json") for each in engine().ask(OrgRef(key=org), overview)]


@app.task(name="halo.series.stop")
def stop(org: str, series: str, by: str = "operator") -> dict[str, Any]:
    """Complete a series for good, and end every enrollment in it (contract §6)."""
    removed = stop_series(partial(engine().perform, OrgRef(key=org)), series, by)
    return {"series": series, "status": "completed", "removed": removed}


@app.task(name="halo.series.remove")
def remove_contact(org: str, series: str, contact: str) -> dict[str, str]:
    """End a contact's enrollment in a series (contract §6)."""

    def removed(work: Work) -> None:
        [contact_id] = find_contacts(work, [contact])
        remove(work, contact_id, lifecycle.find_series(work, series))

    engine().perform(OrgRef(key=org), removed)
    return {"series": series, "contact": contact, "exit_reason": "manual"}


class _PreviewPage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after: UUID | None = None
    size: int = Field(default=PAGE, ge=1, le=1000)


@app.task(name="halo.series.preview")
def preview_series(org: str, series: str, **page: Any) -> Any:
    """Return how many contacts a series matches now, and a page of them (contract §10)."""
    asked = validated(_PreviewPage, page, "halo.series.preview")

    def previewed(work: Work) -> Preview:
        found = lifecycle.find_series(work, series)
        return preview(work, found, after=asked.after, size=asked.size)

    return engine().ask(OrgRef(key=org), previewed).model_dump(mode="json")


@app.task(name="halo.series.explain")
def explain_contact(org: str, series: str, contact: str) -> Any:
    """Say why a contact is, or is not, in a series (contract §4, §10)."""

    def explained(work: Work) -> Explanation:
        found = find_contacts(work, [contact])
        return explain(work, lifecycle.find_series(work, series), found)[0]

    return engine().ask(OrgRef(key=org), explained).model_dump(mode="json")


@app.task(name="halo.series.render")
def render_mail(org: str, **sample: Any) -> Any:
    """Return the email that a contact would get at a step (contract §9)."""
    asked = validated(SampleCall, sample, "halo.series.render")
    sender = engine().post.sender
    shown = engine().ask(OrgRef(key=org), lambda work: show_mail(work, sender, asked))
    return shown.model_dump(mode="json")


@app.task(name="halo.series.send_test")
def send_test_mail(org: str, **test: Any) -> Any:
    """Send that email to an address; neither the contact nor the series knows of it."""
    asked = validated(SendTestCall, test, "halo.series.send_test")
    post = engine().post
    message = engine().ask(OrgRef(key=org), lambda work: write_test(work, post.sender, asked))
    return send_test(post.transport, message, asked).model_dump(mode="json")


@app.task(name="halo.series.retry_failed")
def retry_failed_mail(org: str, **call: Any) -> Any:
    """Send failed emails again (contract §9); what one turn leaves, a new task goes on with.

    ``done`` says whether all were tried by now.
    """
    asked = validated(RetryCall, call, "halo.series.retry_failed")
    ends = time.monotonic() + _TURN_SECONDS
    retried: list[Retried] = []
    done = True
    for each in engine().retry_failed(OrgRef(key=org), asked):
        retried.append(each)
        if time.monotonic() > ends:
            retry_failed_mail.delay(org=org, **{**call, "after": each.recipient_id})
            done = False
            break
    return {**tally(asked, retried).model_dump(mode="json"), "done": done}


@app.task(name="halo.organizations.erase")
def erase(org: str) -> dict[str, Any]:
    """Erase an organisation for good (contract §2); what one turn leaves, a new task goes on with.

    ``done`` says whether it is gone by now.
    """
    ends = time.monotonic() + _TURN_SECONDS
    rows = 0
    for page in erase_organization(partial(engine().perform, OrgRef(key=org))):
        rows += page
        if time.monotonic() > ends:
            erase.delay(org=org)
            return {"org": org, "rows": rows, "done": False}
    return {"org": org, "rows": rows, "done": True}


class _Holding(Call):
    """Whose mail is held or let go: one organisation's, or (no ``org``) everybody's."""

    org: Identifier | None = None


class _Stopping(_Holding):
    """Who holds it beside."""

    by: Identifier = "operator"


def _held(change: Callable[[Connection], Sending]) -> dict[str, Any]:
    return run_in_transaction(engine().database, change).model_dump(mode="json")


@app.task(name="halo.sending.stop")
def stop_mail(**fields: Any) -> dict[str, Any]:
    """Hold all mail of an organisation, or of all, from now on (contract §9)."""
    asked = validated(_Stopping, fields, "halo.sending.stop")
    return _held(lambda connection: stop_sending(connection, asked.org, asked.by))


@app.task(name="halo.sending.start")
def start_mail(**fields: Any) -> dict[str, Any]:
    """End that stop, and ring for those whose mail is due (contract §9)."""
    asked = validated(_Holding, fields, "halo.sending.start")
    answered = _held(lambda connection: start_sending(connection, asked.org))
    tick()
    return answered


@app.task(name="halo.sending.show")
def show_what_holds_mail(**fields: Any) -> dict[str, Any]:
    """Say what holds an organisation's mail, or anybody's (contract §9)."""
    asked = validated(_Holding, fields, "halo.sending.show")
    return _held(lambda connection: show_sending(connection, asked.org))
