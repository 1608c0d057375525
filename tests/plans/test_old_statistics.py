"""Every flow, door and answer touches rows in proportion to its input, even with outdated
statistics.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from halo_engine.answers.diagnose.diagnose import diagnose
from halo_engine.answers.explain.explain import explain
from halo_engine.answers.operations.status import status
from halo_engine.answers.plans.activation import foresee
from halo_engine.answers.plans.fate_names import FateName
from halo_engine.answers.plans.plan import plan
from halo_engine.answers.reports.events import known_properties
from halo_engine.answers.reports.funnel import funnel
from halo_engine.answers.reports.ledger import ledger
from halo_engine.answers.reports.overview import count_some, find_some, overview
from halo_engine.answers.reports.preview import preview
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe_all,
    unsubscribe_all,
)
from halo_engine.contacts.consent.suppression import BounceCall, bounce_all
from halo_engine.contacts.csv_import.importing import ImportCsvCall, import_csv
from halo_engine.contacts.erasure.batches import EraseContactsCall, erase_contacts
from halo_engine.contacts.events.track import TrackCall, track_all
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.domain.series.signals import EVERYTHING, SignalKind
from halo_engine.journey.removal import remove_everybody
from halo_engine.mail.sending.reap import reap
from halo_engine.opening import open_work
from halo_engine.pipeline.advance import DueChoice, advance
from halo_engine.pipeline.agenda import organizations_with_work
from halo_engine.pipeline.batches.update_users import UpdateOrTryCall, update_or_try
from halo_engine.pipeline.react import react
from halo_engine.retention.mails import delete_mails
from halo_engine.series.files.check import check
from halo_engine.series.lifecycle import find_series
from halo_engine.series.save import parse_definition, save_series
from halo_engine.work import Work
from tests.pipeline.sandbox import EMAIL, NOON, Sandbox
from tests.plans.installation import analyzed_before, never_analyzed
from tests.plans.touched import touched

CONTACTS = 5_000
#: How many rows may be touched, in all tables, indexes and joins, for each row that is handled.
FOR_EACH = 100
#: How often each contact may be touched besides: an answer reads everybody, and small tables may be
#: read whole, once for each contact and filter that names a series or a list.
READINGS = 100

Action = Callable[[Work], Any]


@pytest.fixture(
    scope="module",
    params=[never_analyzed, pytest.param(analyzed_before, marks=pytest.mark.torture)],
)
def young(request: pytest.FixtureRequest, new_database: Callable[[], Engine]) -> Sandbox:
    """An organisation that the statistics do not know, with a run of every contact in 3 series."""
    sandbox: Sandbox = request.param(new_database(), CONTACTS)
    return sandbox


def _signals(kind: SignalKind, contacts: int, event: str | None = None) -> Action:
    def write(work: Work) -> None:
        work.connection.execute(
            text(
                "INSERT INTO signals (org_id, kind, end_user_id, changed, event_name, happened_at, "
                "created_at) SELECT org_id, :kind, id, :changed, :event, :now, :now "
                "FROM end_users WHERE org_id = :org LIMIT :contacts"
            ),
            {
                "kind": kind,
                "changed": [EVERYTHING],
                "event": event,
                "now": work.now,
                "org": work.org_id,
                "contacts": contacts,
            },
        )

    return write


def _wide(kind: SignalKind, series: str | None = None, company: str | None = None) -> Action:
    def write(work: Work) -> None:
        work.connection.execute(
            text(
                "INSERT INTO signals (org_id, kind, automation_id, company_id, happened_at, "
                "created_at) VALUES (:org, :kind, "
                "(SELECT id FROM automations WHERE org_id = :org AND key = :series), "
                "(SELECT id FROM companies WHERE org_id = :org AND external_id = :company), "
                ":now, :now)"
            ),
            {
                "org": work.org_id,
                "kind": kind,
                "series": series,
                "company": company,
                "now": work.now,
            },
        )

    return write


def _narrow(contacts: int) -> Action:
    def write(work: Work) -> None:
        given = {"org": work.org_id, "now": work.now, "contacts": contacts}
        of_first = (
            "SELECT org_id, id FROM end_users WHERE org_id = :org ORDER BY id LIMIT :contacts"
        )
        narrow = "VALUES (:org, 'reevaluated', :now, :now, '{\"narrow\": true}')"
        columns = "org_id, kind, happened_at, created_at, cursor"
        for statement in (
            f"INSERT INTO pass_notes (org_id, end_user_id) {of_first}",
            "INSERT INTO pass_notes (org_id, since) VALUES (:org, :now)",
            f"INSERT INTO signals ({columns}) {narrow}",
        ):
            work.connection.execute(text(statement), given)

    return write


def _leased(work: Work) -> None:
    work.connection.execute(
        text(
            "UPDATE automation_recipients SET status = 'processing', "
            "lease_token = gen_random_uuid(), lease_expires_at = now() - interval '1 h' "
            "WHERE id = ANY (ARRAY(SELECT id FROM automation_recipients "
            "WHERE org_id = :org ORDER BY id LIMIT 1000))"
        ),
        {"org": work.org_id},
    )


_USERS = [f"u{number}" for number in range(1, 501)]


def _nothing(_work: Work) -> None:
    pass


def _handle(work: Work) -> object:
    return react(work, 1000)


def _csv(first: int) -> str:
    people = (f"u{n},u{n}@a.example,pro" for n in range(first, first + 1000))
    return "\n".join(["id,email,plan", *people])


def _import(first: int, **mapping: str) -> Action:
    call = ImportCsvCall(text=_csv(first), mapping={**mapping, "plan": "custom:plan"})
    return lambda work: import_csv(work, call)


def _try_update(work: Work) -> object:
    users = [{"user_id": user, "traits": {"plan": "x"}} for user in _USERS]
    return update_or_try(work, UpdateOrTryCall(users=users, dry_run=True), is_proven=True)


def _about(series: str, answer: Callable[[Work, Any], object]) -> Action:
    return lambda work: answer(work, find_series(work, series))


def _explained(work: Work) -> object:
    contact = text("SELECT id FROM end_users WHERE org_id = :org LIMIT 1")
    found = list(work.connection.scalars(contact, {"org": work.org_id}))
    return explain(work, find_series(work, "big"), found)


def _saved(work: Work) -> object:
    free = {"field": "plan", "operator": "is", "value": "free"}
    definition = {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [free],
        "settings": {"one_per_company": True},
        "steps": [{**EMAIL, "key": f"email{number}"} for number in range(3)],
    }
    return save_series(work, "big", parse_definition("big", definition))


def _changed(**settings: Any) -> SeriesDefinition:
    free = {"field": "plan", "operator": "is", "value": "free"}
    definition = {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [free],
        "settings": {"one_per_company": True, "exit_rules": ["segment_leave"], **settings},
        "steps": [{**EMAIL, "key": "email0", "delay": "1h"}, {**EMAIL, "key": "email1"}],
    }
    return parse_definition("big", definition)


def _rescheduled(work: Work) -> object:
    return save_series(work, "big", _changed(), reschedule=True)


def _planned(work: Work, fate: FateName | None = None) -> object:
    return plan(work, "big", _changed(), reschedule=True, fate=fate)


def _ended(work: Work) -> None:
    ends = "UPDATE automation_enrollments SET ended_at = :now, exit_reason = 'completed'"
    given = {"now": work.now, "org": work.org_id}
    work.connection.execute(text(f"{ends} WHERE org_id = :org"), given)


#: What is done before, what is watched, and how many rows that is about.
ACTIONS: dict[str, tuple[Action, Action, int]] = {
    "one signal": (_signals(SignalKind.CREATED, 1), _handle, 1),
    "thirty signals": (_signals(SignalKind.CHANGED, 30), _handle, 30),
    "a batch of created": (_signals(SignalKind.CREATED, 1000), _handle, 1000),
    "a batch of entry events": (_signals(SignalKind.EVENT, 1000, "login"), _handle, 1000),
    "a batch of exit events": (_signals(SignalKind.EVENT, 1000, "paid"), _handle, 1000),
    "an activation": (_wide(SignalKind.ACTIVATED, series="open"), _handle, CONTACTS),
    "a re-evaluation": (_wide(SignalKind.REEVALUATED), _handle, CONTACTS),
    # One of the series counts events within a span: for it everybody is looked at.
    "a narrow pass": (_narrow(300), _handle, CONTACTS),
    "a company's change": (_wide(SignalKind.COMPANY_CHANGED, company="c7"), _handle, 10),
    "thirty due rows": (_nothing, lambda work: advance(work, 30), 30),
    "a batch of due rows": (_nothing, lambda work: advance(work, 1000), 1000),
    "due rows while mail waits": (
        _nothing,
        lambda work: advance(work, 1000, choice=DueChoice(mail=False)),
        1000,
    ),
    "leases that ran out": (_leased, lambda work: reap(work, 1000), 1000),
    "everybody removed": (_nothing, _about("big", lambda w, s: remove_everybody(w, s, 1000)), 1000),
    "a series saved anew": (_nothing, _saved, CONTACTS),
    "a series saved with other times": (_nothing, _rescheduled, CONTACTS),
    "a plan of a save": (_nothing, _planned, CONTACTS),
    "an activation foreseen": (_nothing, _about("big", foresee), 0),
    "a page of a plan": (_nothing, lambda work: _planned(work, FateName.STAYS), CONTACTS),
    "a new contact": (
        _nothing,
        lambda work: identify(work, IdentifyCall(user_id="n", traits={"email": "n@a.example"})),
        1,
    ),
    "a known contact": (
        _nothing,
        lambda work: identify(work, IdentifyCall(user_id="u9", traits={"plan": "x"})),
        1,
    ),
    "new contacts imported": (_nothing, _import(1_000_000, id="external_id", email="email"), 1000),
    "known contacts imported": (_nothing, _import(1, id="external_id", email="email"), 1000),
    "an update, tried": (_nothing, _try_update, 500),
    "contacts imported by email": (_nothing, _import(1, email="email"), 1000),
    "events": (
        _nothing,
        lambda work: track_all(work, [TrackCall(user_id=u, event="used") for u in _USERS]),
        500,
    ),
    "bounces": (
        _nothing,
        lambda work: bounce_all(work, [BounceCall(contact=user) for user in _USERS]),
        500,
    ),
    "subscriptions": (
        _nothing,
        lambda work: subscribe_all(work, [SubscribeCall(contact=u, list="news") for u in _USERS]),
        500,
    ),
    "unsubscriptions": (
        _nothing,
        lambda work: unsubscribe_all(work, [UnsubscribeCall(contact=user) for user in _USERS]),
        500,
    ),
    "an erasure": (_nothing, lambda work: erase_contact(work, EraseContactCall(contact="u7")), 1),
    "an erasure of many": (
        _nothing,
        lambda work: erase_contacts(work, EraseContactsCall(contacts=_USERS[:100])),
        100,
    ),
    "a page of old mails": (_ended, lambda work: delete_mails(work, work.now, 1000, None), 1000),
    "who has work": (_nothing, lambda work: organizations_with_work(work.connection), 0),
    "preview": (_nothing, _about("big", preview), 0),
    "check": (_nothing, _about("big", check), 0),
    "diagnose": (_nothing, _about("big", diagnose), 0),
    "explain": (_nothing, _explained, 0),
    "ledger of filters": (_nothing, _about("big", ledger), 0),
    "ledger of a list": (_nothing, _about("list", ledger), 0),
    "ledger of seats": (_nothing, _about("seats", ledger), 0),
    "funnel": (_nothing, _about("gates", funnel), 0),
    "status": (_nothing, status, 0),
    "overview": (_nothing, overview, 0),
    "properties of an event": (_nothing, lambda work: known_properties(work, "ping"), 0),
    "series, found": (_nothing, find_some, 0),
    "series, counted": (_nothing, lambda work: count_some(work, ["big", "gates"]), 0),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_no_statement_joins_all_rows_with_all_rows(young: Sandbox, name: str) -> None:
    """No statement joins all rows with all rows."""
    before, action, about = ACTIONS[name]
    with young.database.connect() as connection:
        work = open_work(connection, young.org, NOON + timedelta(hours=1))
        before(work)
        with touched(connection) as statements:
            action(work)
        connection.rollback()
    rows = sum(each.rows for each in statements)
    assert rows <= FOR_EACH * about + READINGS * CONTACTS, [
        (each.rows, each.text) for each in statements if each.rows > CONTACTS
    ]
