"""The daily work of an installation, on an organisation with a past: each chore is timed.

A chore is rolled back, so the next one begins with the same state.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from benchmarks.ground import ORG
from benchmarks.measuring import seconds
from benchmarks.past import SERIES
from benchmarks.workloads.activation import OWNERS_ON_PRO
from halo_engine.answers.diagnose.diagnose import diagnose
from halo_engine.answers.explain.explain import explain
from halo_engine.answers.operations.status import status
from halo_engine.answers.reports.funnel import funnel
from halo_engine.answers.reports.ledger import ledger
from halo_engine.answers.reports.overview import overview
from halo_engine.answers.reports.preview import preview
from halo_engine.answers.reports.profile import profile
from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.suppression import BounceCall, bounce
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.contacts.identifying.leads import CaptureLeadCall, capture_lead
from halo_engine.contacts.stripe.subscription import StripeSubscriptionCall, stripe_subscription
from halo_engine.database import AtOnce
from halo_engine.domain.series.definition import Series
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.incoming.events import ReadMailCall, open_mail
from halo_engine.mail.sending.retrying.retries import RetryCall
from halo_engine.mail.sending.retrying.retry import retry_failed
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.opening import open_work
from halo_engine.pipeline.due import PostOffice
from halo_engine.pipeline.reaction import TooMuchError
from halo_engine.pipeline.settle import settle, tick
from halo_engine.series.lifecycle import activate, find_series
from halo_engine.series.save import parse_definition, save_series
from halo_engine.work import OrgRef, Work

_Result = TypeVar("_Result")

_MANY: Final = 50
_POST: Final = PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example"))
#: Errors that no flow looks into: this transaction is at its end, and cannot try a smaller batch.
_AS_THEY_ARE: Final = (DBAPIError,)


@dataclass(frozen=True, slots=True)
class Chore:
    """A piece of work, and the statements that prepare it; ``org`` is bound in them."""

    do: Callable[[Work], object]
    laid_out: Sequence[str] = ()

    def lay_out(self, connection: Connection, org_id: UUID) -> None:
        """Run the statements that prepare it."""
        for statement in self.laid_out:
            connection.exec_driver_sql(statement.replace("%(org)s", f"'{org_id}'"))

    def timed(self, connection: Connection) -> float:
        """Do it, and return the seconds that it took."""
        work = open_work(connection, OrgRef(key=ORG), None)
        return seconds(lambda: self.do(work))


@dataclass(frozen=True, slots=True)
class _Within:
    """Gives a flow this one transaction every time; work that was too large is not retried."""

    work: Work

    @property
    def now(self) -> datetime | None:
        """The instant of the transaction."""
        return self.work.now

    def __call__(self, action: Callable[[Work], _Result]) -> _Result:
        try:
            return action(self.work)
        except TooMuchError as error:
            raise error.__cause__ or error from None

    @contextmanager
    def kept_connection(self) -> Iterator[AtOnce]:
        """Yield a function that runs short transactions as parts of this one."""
        yield lambda calls: [each.rows(self.work.connection) for each in calls]


def settled(work: Work) -> None:
    """Handle all that waits, within this one transaction."""
    for _ in settle(_Within(work), _POST, _AS_THEY_ARE):
        pass


def _ticked(work: Work) -> None:
    for _ in tick(_Within(work), _POST, _AS_THEY_ARE):
        pass


def _activated(work: Work) -> None:
    definition = parse_definition("owners", dict(OWNERS_ON_PRO))
    save_series(work, "owners", definition)
    activate(work, "owners", "bench")
    settled(work)


def _of_each(door: Callable[[Work, Any], object], call: Callable[[int], Any]) -> Chore:
    """Call a door once for each of many contacts."""

    def do(work: Work) -> None:
        for number in range(2, 2 + _MANY):
            door(work, call(number))

    return Chore(do)


def _asked(question: Callable[[Work, Series], object], key: str = "past-1") -> Chore:
    return Chore(lambda work: question(work, find_series(work, key)))


def _explained(work: Work, series: Series) -> object:
    return explain(work, series, _contacts(work))


def _contacts(work: Work) -> list[Any]:
    named = "SELECT id FROM end_users WHERE external_id LIKE 'u1_' ORDER BY external_id"
    return list(work.connection.exec_driver_sql(named).scalars())


def _profiles(work: Work) -> None:
    for each in _contacts(work):
        profile(work, each)


def _retried(work: Work) -> None:
    call = RetryCall(series="past-1")
    post = _POST
    for _ in retry_failed(lambda do: do(work), post.transport, post.sender, call, post.throttle):
        pass


def _previewed_subscribers(work: Work) -> None:
    definition = {
        "entry_trigger": "user_created",
        "audience_type": "subscription",
        "subscription": "few",
        "steps": [{"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}],
    }
    preview(work, parse_definition("few", definition))


def _user(name: str) -> IdentifyCall:
    traits = {"email": f"{name}@acme.example", "name": "Somebody", "plan": "free"}
    return IdentifyCall(user_id=name, traits=traits)


def _changed_company(work: Work) -> None:
    identify_company(work, IdentifyCompanyCall(id="c2", traits={"mrr": 5}))
    settled(work)


_SIGNALS: Final = """
INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at)
SELECT %(org)s, 'changed', id, ARRAY['custom:plan'], now(), now() FROM end_users
WHERE org_id = %(org)s ORDER BY created_at DESC LIMIT 2000
"""
_PASS: Final = """
INSERT INTO signals (org_id, kind, happened_at, created_at)
VALUES (%(org)s, 'reevaluated', now(), now())
"""
_NOTHING_DUE: Final = """
UPDATE automation_recipients SET scheduled_for = now() + interval '1 day'
WHERE org_id = %(org)s AND status = 'pending'
"""
_ABANDONED: Final = """
UPDATE automation_recipients SET status = 'processing', lease_token = gen_random_uuid(),
       lease_expires_at = now() - interval '1 minute'
WHERE org_id = %(org)s AND status = 'pending'
  AND id IN (SELECT id FROM automation_recipients WHERE status = 'pending' LIMIT 500)
"""

_PARKED: Final = """
INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at, parked_at, error)
SELECT %(org)s, 'changed', id, ARRAY['custom:plan'], now(), now(), now(), 'it failed' FROM end_users
WHERE org_id = %(org)s ORDER BY created_at LIMIT 1000
"""

CHORES: Final[Mapping[str, Chore]] = {
    "advance due rows": Chore(settled),
    "activate a series": Chore(_activated, [_NOTHING_DUE]),
    "react to changes": Chore(settled, [_NOTHING_DUE, _SIGNALS]),
    "react to one change": Chore(settled, [_NOTHING_DUE, _SIGNALS.replace("2000", "1")]),
    "react behind parked signals": Chore(
        settled, [_NOTHING_DUE, _PARKED, _SIGNALS.replace("2000", "1")]
    ),
    "re-evaluate": Chore(settled, [_NOTHING_DUE, _PASS]),
    "take up what a dead worker left": Chore(_ticked, [_NOTHING_DUE, _ABANDONED]),
    "retry failed mail": Chore(_retried, [_NOTHING_DUE]),
    "identify new users": _of_each(identify, lambda n: _user(f"new{n}")),
    "identify changed users": _of_each(identify, lambda n: _user(f"u{n}")),
    "identify out of a session": _of_each(
        identify, lambda n: IdentifyCall(user_id=f"u{n}", session_id=f"s-u{n + 1}")
    ),
    "capture leads": _of_each(
        capture_lead, lambda n: CaptureLeadCall(email=f"new{n}@acme.example")
    ),
    "track": _of_each(
        track, lambda n: TrackCall(user_id=f"u{n}", event="seen 1", idempotency_key=f"k{n}")
    ),
    "change a company": Chore(_changed_company, [_NOTHING_DUE]),
    "subscribe": _of_each(subscribe, lambda n: SubscribeCall(contact=f"u{n}", list="few")),
    "unsubscribe": _of_each(unsubscribe, lambda n: UnsubscribeCall(contact=f"u{n}", list="all")),
    "bounce": _of_each(bounce, lambda n: BounceCall(contact=f"u{n}")),
    "open mails": _of_each(
        open_mail, lambda n: ReadMailCall(contact=f"u{n}", series=f"past-{n % SERIES}", step="hi")
    ),
    "Stripe": _of_each(
        stripe_subscription, lambda n: StripeSubscriptionCall(user_id=f"u{n}", plan="pro")
    ),
    "erase": _of_each(erase_contact, lambda n: EraseContactCall(contact=f"u{n}")),
    "preview": _asked(preview),
    "preview of a list": Chore(_previewed_subscribers),
    "diagnose": _asked(diagnose),
    "ledger": _asked(ledger),
    "funnel": _asked(funnel),
    "explain": _asked(_explained),
    "profile": Chore(_profiles),
    "status": Chore(status),
    "overview": Chore(overview),
}
