"""Erasing contacts and organisations: a keyed hash is all that stays (contract §2, §3)."""

import hashlib
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy import (
    Engine,
    Table,
    Text,
    cast,
    column,
    func,
    insert,
    or_,
    select,
    table,
    update,
)

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.subscriptions import SaveListCall, create_list, save_list
from halo_engine.contacts.consent.suppression import BounceCall, bounce
from halo_engine.contacts.consent.unsuppress import UnsuppressCall, unsuppress
from halo_engine.contacts.csv_import.importing import ImportCsvCall, import_csv
from halo_engine.contacts.csv_import.uploads.receiving import UploadOptions, add_chunk, begin_upload
from halo_engine.contacts.erasure.batches import EraseContactsCall, erase_contacts
from halo_engine.contacts.erasure.organizations import erase_organization
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.contacts.identifying.leads import (
    AddContactCall,
    CaptureLeadCall,
    add_contact,
    capture_lead,
)
from halo_engine.contacts.identifying.sync import SyncCall, sync
from halo_engine.contacts.identifying.update import UpdateCall
from halo_engine.contacts.identifying.update import update as update_users
from halo_engine.contacts.stripe.passed_over import note_passed_over
from halo_engine.contacts.stripe.subscription import StripeSubscriptionCall, stripe_subscription
from halo_engine.database import run_in_transaction
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.clients.segment import message_of
from halo_engine.domain.errors import Refusal
from halo_engine.domain.reasons import PassedOver
from halo_engine.domain.roles import Role
from halo_engine.doors.over_http.clients import SEGMENT_PUBLIC
from halo_engine.mail.incoming.bounce_reports import note_bounces
from halo_engine.mail.reading.bounces import Bounce
from halo_engine.opening import open_work
from halo_engine.operators.audit import AuditedChange, note
from halo_engine.operators.keys import CreateKeyCall, create_key
from halo_engine.operators.origin import Origin, Via
from halo_engine.rehearsal.tokens import signed
from halo_engine.tables import (
    OWNED,
    automation_active_periods,
    automation_enrollments,
    automation_steps,
    automation_versions,
    automations,
    cleared_mails,
    cleared_recipients,
    csv_imports,
    discarded_entries,
    end_users,
    enrollment_refusals,
    erased_suppressions,
    followed_links,
    former_mails,
    held_entries,
    histories,
    hook_deliveries,
    messages,
    operator_keys,
    operator_sessions,
    organizations,
    released_entries,
    sent_before,
    sign_in_links,
    suppressions,
    surge_entries,
    waiting_entries,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)
from halo_engine.tables import (
    events as event_rows,
)
from halo_engine.tables.messages import MAIL_COUNTS
from halo_engine.work import OrgRef, Work
from tests.contacts import sandbox
from tests.contacts.sandbox import (
    EARLIER,
    NOW,
    add_message,
    add_run,
    add_series,
    committed_organization,
    committing,
    overtaken,
    rows,
    statements,
)

TABLES = OWNED

_Result = TypeVar("_Result")


def reopened(work: Work) -> Work:
    """Open the organisation's next transaction: its settings are read again."""
    return open_work(work.connection, OrgRef(id=work.org_id), work.now)


def erased(work: Work, contact: str) -> UUID:
    """Erase a contact; return whom."""
    return erase_contact(work, EraseContactCall(contact=contact)).id


def identified(work: Work, user_id: str, **call: Any) -> UUID:
    """Identify a user; return its id."""
    return identify(work, IdentifyCall(user_id=user_id, **call)).id


def mentioned(work: Work, *texts: object) -> set[str]:
    """Return the tables in which a row of the organisation holds one of the texts anywhere."""

    def holds(table: Table) -> bool:
        row = cast(func.to_jsonb(table.table_valued()), Text)
        found = select(func.count()).select_from(table).where(table.c.org_id == work.org_id)
        found = found.where(or_(*[row.icontains(str(text)) for text in texts]))
        return bool(work.connection.execute(found).scalar_one())

    return {table.name for table in TABLES if holds(table)}


def contents(work: Work) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of the organisation by table."""
    return {table.name: rows(work, table, *table.c.keys()) for table in TABLES}


def eventful(work: Work, name: str) -> UUID:
    """Make a user of whom there is something in every table that is about contacts."""
    address = f"{name}@a.example"
    track(work, TrackCall(event="opened app", session_id=f"session of {name}"))
    contact_id = identified(work, name, traits={"email": address}, session_id=f"session of {name}")
    track(work, TrackCall(event="paid", user_id=name, idempotency_key=f"paid by {name}"))
    save_list(work, SaveListCall(list="confirmed", double_opt_in=True))
    subscribe(work, SubscribeCall(contact=name, list="confirmed"))
    subscribe(work, SubscribeCall(contact=name, list="news"))
    unsubscribe(work, UnsubscribeCall(contact=name, list="news"))
    subscribe(work, SubscribeCall(contact=name, list="news"))
    series_id = add_series(work, f"letters {len(rows(work, automations, 'id'))}", "hi")
    add_run(work, contact_id, series_id)
    add_message(work, contact_id, series_id, "hi", to_address=f"Old-{address}")
    refusal = {"code": "audience_mismatch", "refused_at": NOW, "arrival": 1}
    whose = {"org_id": work.org_id, "automation_id": series_id, "end_user_id": contact_id}
    work.connection.execute(insert(enrollment_refusals).values(**whose, **refusal))
    work.connection.execute(insert(held_entries).values(**whose, held_at=NOW))
    work.connection.execute(insert(discarded_entries).values(**whose, discarded_at=NOW))
    step_id = rows(work, automation_steps, "id")[-1][0]
    went = {"enrollment_number": 1, "step_id": step_id, "sent_at": NOW}
    work.connection.execute(insert(sent_before).values(**whose, **went))
    waits = insert(waiting_entries).values(**whose, fired_at=NOW, arrival=1)
    work.connection.execute(waits)
    former = {"recipient_id": step_id.int % 2**40, "to_address": f"older-{address}"}
    whose_mail = {"org_id": work.org_id, "end_user_id": contact_id, **former}
    work.connection.execute(insert(former_mails).values(**whose_mail))
    cleared = {"step_id": step_id, "status": "failed", "recipients": 1}
    del whose["end_user_id"]
    work.connection.execute(insert(cleared_recipients).values(**whose, **cleared))
    mails = {"step_id": step_id, **dict.fromkeys(MAIL_COUNTS, 1)}
    work.connection.execute(insert(cleared_mails).values(**whose, **mails))
    for counted in (surge_entries, released_entries):
        work.connection.execute(insert(counted).values(**whose, began_at=NOW, entries=1))
    told(work, contact_id, series_id)
    bounce(work, BounceCall(contact=name))
    return contact_id


def told(work: Work, contact_id: UUID, series_id: UUID) -> None:
    """Have an endpoint of webhooks that is told something about a contact."""
    org = {"org_id": work.org_id}
    if not rows(work, webhook_endpoints, "id"):
        endpoint = {"url": "https://hooks.example", "secret": "whsec_eA==", "created_at": NOW}
        work.connection.execute(insert(webhook_endpoints).values(**org, **endpoint))
    [(endpoint_id,)] = rows(work, webhook_endpoints, "id")
    what = {"kind": "contact.entered", "automation_id": series_id, "at": NOW}
    about = {"end_user_id": contact_id}
    written = insert(webhook_events).values(**org, **about, **what).returning(webhook_events.c.id)
    event_id = work.connection.execute(written).scalar_one()
    delivery = {
        "endpoint_id": endpoint_id,
        "event_id": event_id,
        "due_at": NOW,
        "state": "delivered",
    }
    work.connection.execute(insert(webhook_deliveries).values(**org, **about, **delivery))


# A contact.


def test_everything_about_a_contact_goes(work: Work) -> None:
    """Every row with the contact's ids, address or keys is deleted; other contacts' rows stay."""
    create_list(work, "news")
    eventful(work, "ben")
    before = contents(work)
    ann = eventful(work, "ann")
    about = {table.name for table in TABLES if "end_user_id" in table.c}
    assert mentioned(work, ann) == about | {"end_users"}
    assert mentioned(work, "ann") == {
        "confirmations",
        "end_users",
        "events",
        "contact_sessions",
        "former_mails",
        "idempotency_keys",
        "messages",
        "suppressions",
    }
    assert erased(work, "ann") == ann
    assert mentioned(work, ann, "ann") == set()
    after = contents(work)
    counts = ("cleared_mails", "cleared_recipients", "surge_entries", "released_entries")
    for name in ("automations", "automation_steps", "erased_suppressions", *counts):
        del before[name], after[name]
    assert after == before


def test_a_lead_is_erased_by_email(work: Work) -> None:
    """A lead is erased by its email, in any case; an unknown contact is a 404."""
    lead = sandbox.add_contact(work, None, email="lea@a.example")
    assert erased(work, "LEA@a.example") == lead
    with pytest.raises(Refusal) as raised:
        erased(work, "lea@a.example")
    assert (raised.value.status, raised.value.code) == (404, "unknown_contact")


def test_a_contact_that_comes_again_is_new(work: Work) -> None:
    """A contact that comes again after its erasure is created, without anything of before."""
    before = identified(work, "ann", traits={"plan": "pro"}, context={"page": "/"})
    erased(work, "ann")
    after = identified(work, "ann")
    assert after != before
    assert rows(work, end_users, "custom_fields", "context") == [({}, {})]


def test_the_last_contact_of_a_manual_series_completes_it(work: Work) -> None:
    """With no active recipient left, the series is completed (contract §4)."""
    ann, ben = (sandbox.add_contact(work, name) for name in ("ann", "ben"))
    series_id = add_series(work, "letters", "hi")
    for contact in (ann, ben):
        add_run(work, contact, series_id)
    erased(work, "ann")
    assert rows(work, automations, "status") == [("active",)]
    erased(work, "ben")
    assert rows(work, automations, "status") == [("completed",)]
    assert rows(work, automation_enrollments, "number") == []


def test_erasing_takes_few_statements(work: Work) -> None:
    """An erasure takes 17 statements for a suppressed contact in a manual series, else 13, however
    many rows there are. They are: the series lock, the contact, its runs, three for their series,
    the suppressions, two for their hashes, the calls that wait, the signals, three for the notes
    of the next pass, the contact, and two that complete a manual series.
    """
    create_list(work, "news")
    for events in (1, 200):
        contact_id = eventful(work, "ann")
        for n in range(events):
            track(work, TrackCall(event=f"event {n}", user_id="ann"))
        assert mentioned(work, contact_id)
        with statements(work.connection) as seen:
            erased(work, "ann")
        assert len(seen) == 17
        identified(work, "ben")
        with statements(work.connection) as seen:
            erased(work, "ben")
        assert len(seen) == 13


def test_many_are_erased_as_one_is(work: Work) -> None:
    """A batch erases whom it names, says in numbers what goes, and tells unknown names by index."""
    create_list(work, "news")
    ids = [eventful(work, name) for name in ("ann", "ben")]
    identified(work, "cat")
    before = contents(work)
    call = EraseContactsCall(contacts=["ann", "nobody", "ben", "ann"])
    tried = erase_contacts(work, call.model_copy(update={"dry_run": True}))
    assert contents(work) == before
    assert (tried.contacts, tried.unknown) == (2, (1,))
    whose = {"runs": automation_enrollments, "mails": messages, "events": event_rows}
    counted = {
        name: sum(owner in ids for (owner,) in rows(work, table, "end_user_id"))
        for name, table in whose.items()
    }
    assert tried.model_dump(include={*whose}) == counted
    assert all(counted.values())
    assert erase_contacts(work, call) == tried
    assert [mentioned(work, id_) for id_ in ids] == [set(), set()]
    assert rows(work, end_users, "external_id") == [("cat",)]


def test_more_than_expected_are_not_erased(work: Work) -> None:
    """A batch of more contacts than its caller expects is refused whole."""
    for name in ("ann", "ben"):
        identified(work, name)
    call = EraseContactsCall(contacts=["ann", "ben", "cat"], expect_at_most=1)
    with pytest.raises(Refusal) as refused:
        erase_contacts(work, call)
    assert (refused.value.status, refused.value.code) == (409, "more_than_expected")
    assert len(rows(work, end_users, "id")) == 2
    assert erase_contacts(work, call.model_copy(update={"expect_at_most": 2})).contacts == 2


def test_many_take_as_many_statements_as_two(work: Work) -> None:
    """The statements of a batch depend on no number of contacts."""
    counts = []
    for size in (2, 40):
        names = [f"u{n}" for n in range(size)]
        for name in names:
            identified(work, name)
        with statements(work.connection) as seen:
            erase_contacts(work, EraseContactsCall(contacts=names))
        counts.append(len(seen))
    assert counts[0] == counts[1]


# Its suppression.


def hashes(work: Work) -> list[tuple[Any, ...]]:
    """Return what is kept of erased suppressions."""
    return rows(work, erased_suppressions, "address_hash", "bounced_at", "unsubscribed_at")


def test_a_suppression_is_kept_as_a_keyed_hash(work: Work) -> None:
    """HMAC-SHA256 of the address in lower case, under a key that no other organisation has."""
    identified(work, "ann", traits={"email": "Ann@A.example"})
    bounce(work, BounceCall(contact="ann"))
    erased(work, "ann")
    key = reopened(work).org.address_key
    assert key is not None
    digest = hmac.new(key, b"ann@a.example", hashlib.sha256).digest()
    assert (len(key), hashes(work)) == (32, [(digest, NOW, None)])
    assert rows(work, suppressions, "address") == []


def test_earlier_addresses_stay_suppressed_too(work: Work) -> None:
    """The addresses that the contact had before are suppressed by hash, too."""
    ann = identified(work, "ann", traits={"email": "new@a.example"})
    add_message(work, ann, add_series(work, "s", "hi"), "hi", to_address="Old@a.example")
    for address in ("old@a.example", "other@a.example"):
        row = {"org_id": work.org_id, "address": address, "bounced_at": NOW}
        work.connection.execute(insert(suppressions).values(row))
    erased(work, "ann")
    assert rows(work, suppressions, "address") == [("other@a.example",)]
    assert len(hashes(work)) == 1


def test_an_address_that_somebody_else_has_stays_as_it_is(work: Work) -> None:
    """A shared address is hashed when the last contact with it is erased."""
    for name in ("ann", "ben"):
        identified(work, name, traits={"email": "both@a.example"})
    bounce(work, BounceCall(contact="ann"))
    erased(work, "ann")
    assert (rows(work, suppressions, "address"), hashes(work)) == ([("both@a.example",)], [])
    erased(work, "ben")
    assert (rows(work, suppressions, "address"), len(hashes(work))) == ([], 1)


def test_an_organisation_without_hashes_has_no_key(work: Work) -> None:
    """An organisation has no hash key, and its doors look nothing up, until a first suppression is
    kept.
    """
    identified(work, "ann", traits={"email": "ann@a.example"})
    erased(work, "ann")
    assert reopened(work).org.address_key is None


SECRET = "a secret of thirty-two bytes or more"
TRAITS = {"email": "ANN@a.example"}


def updated(work: Work) -> object:
    """Write a user as a backend does, which signs its batches."""
    work.connection.execute(
        update(organizations)
        .where(organizations.c.id == work.org_id)
        .values(identity_secret=SECRET)
    )
    token = signed({"scope": "users.update"}, SECRET, NOW, timedelta(minutes=5))
    users = [{"user_id": "new", "traits": TRAITS}]
    return update_users(reopened(work), UpdateCall(users=users, user_token=token))


DOORS: dict[str, Callable[[Work], object]] = {
    "identify": lambda work: identified(work, "new", traits=TRAITS),
    "update": updated,
    "lead form": lambda work: capture_lead(work, CaptureLeadCall(email="ANN@a.example")),
    "teammate": lambda work: add_contact(work, AddContactCall(email="ANN@a.example")),
    "stripe": lambda work: stripe_subscription(work, StripeSubscriptionCall(email="ANN@a.example")),
    "sync": lambda work: sync(
        work, SyncCall(source="crm", contacts=[{"user_id": "new", "traits": TRAITS}])
    ),
    "csv": lambda work: import_csv(
        work, ImportCsvCall(text="Mail\nANN@a.example\n", mapping={"Mail": "email"})
    ),
    "a change": lambda work: identified(work, "ben", traits=TRAITS),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_contact_with_an_erased_address_is_suppressed_at_once(work: Work, door: str) -> None:
    """At every door the statement that writes a contact with an erased address suppresses it
    again.
    """
    identified(work, "ben")
    with work.connection.begin_nested() as savepoint:
        with statements(work.connection) as usual:
            DOORS[door](work)
        savepoint.rollback()
    identified(work, "ann", traits={"email": "ann@a.example"})
    bounce(work, BounceCall(contact="ann"))
    erased(work, "ann")
    again = reopened(work)
    with statements(work.connection) as seen:
        DOORS[door](again)
    assert len(seen) == len(usual)
    assert rows(work, suppressions, "address", "bounced_at") == [("ann@a.example", NOW)]
    assert hashes(work) == []


def test_what_is_lifted_stays_lifted(work: Work) -> None:
    """An unsubscription returns with the contact, and ends when it subscribes again."""
    create_list(work, "news")
    identified(work, "ann", traits=TRAITS)
    unsubscribe(work, UnsubscribeCall(contact="ann"))
    erased(work, "ann")
    again = reopened(work)
    identified(again, "ann", traits=TRAITS)
    assert rows(work, suppressions, "address", "unsubscribed_at") == [("ann@a.example", NOW)]
    subscribe(again, SubscribeCall(contact="ann", list="news"))
    identified(again, "ann", traits=TRAITS)
    assert rows(work, suppressions, "address") == []


def test_contacts_at_once_with_an_erased_address_are_both_suppressed(work: Work) -> None:
    """Two contacts that come at once with an erased address have one hash and one suppression."""
    for _ in range(12):
        for name in ("ann", "ben"):
            identified(reopened(work), name, traits=TRAITS)
        bounce(work, BounceCall(contact="ann"))
        for name in ("ann", "ben"):
            erased(work, name)
        assert (len(hashes(work)), rows(work, suppressions, "address")) == (1, [])
        contacts = [{"user_id": name, "traits": TRAITS} for name in ("ann", "ben")]
        sync(reopened(work), SyncCall(source="crm", contacts=contacts))
        assert rows(work, suppressions, "address") == [("ann@a.example",)]


# While others are at work.


def test_an_event_that_waits_for_an_erasure_finds_nobody(shared_database: Engine) -> None:
    """An event that waited for the erasure is a 404."""
    org = committed_organization(shared_database, "ann")

    def tracked(work: Work) -> None:
        with pytest.raises(Refusal, match="There is no contact ‘ann’"):
            track(work, TrackCall(event="paid", user_id="ann"))

    overtaken(shared_database, org, lambda work: erased(work, "ann"), tracked)


def test_what_is_written_meanwhile_goes_too(shared_database: Engine) -> None:
    """An erasure that waits for an event deletes it with the contact."""
    org = committed_organization(shared_database, "ann")

    def tracked(work: Work) -> None:
        track(work, TrackCall(event="paid", user_id="ann", idempotency_key="ann paid"))

    overtaken(shared_database, org, tracked, lambda work: erased(work, "ann"))
    with shared_database.connect() as connection:
        assert mentioned(open_work(connection, org, NOW), "ann") == set()


def test_a_row_for_somebody_erased_meanwhile_is_a_lost_race(shared_database: Engine) -> None:
    """A door that meets an erasure halfway runs again, and refuses as if it had come later."""
    org = committed_organization(shared_database, "ann")
    tries = []

    def subscribed(work: Work) -> None:
        tries.append(work)
        if len(tries) == 1:
            [(ann,)] = rows(work, end_users, "id")
            with shared_database.begin() as other:
                erased(open_work(other, org, NOW), "ann")
            sandbox.add_run(work, ann, add_series(work, "s", "hi"))
        erased(work, "ann")

    with pytest.raises(Refusal, match="There is no contact ‘ann’"):
        run_in_transaction(
            shared_database, lambda connection: subscribed(open_work(connection, org, NOW))
        )
    assert len(tries) == 2


# An organisation.


def peopled(database: Engine) -> OrgRef:
    """Commit an organisation in which there is something in every table."""
    org = committed_organization(database)
    with database.begin() as connection:
        work = open_work(connection, org, NOW)
        create_list(work, "news")
        create_key(work, CreateKeyCall(role=Role.ADMIN))
        add_chunk(work, begin_upload(work, UploadOptions()), 0, b"id\nann\n")
        eventful(work, "ann")
        erased(work, "ann")
        work = open_work(connection, org, NOW)
        eventful(work, "ben")
        identify_company(work, IdentifyCompanyCall(id="acme", user_id="ben", traits={"size": 5}))
        [(series_id,)] = rows(work, automations, "id")[:1]
        period = {"automation_id": series_id, "started_at": EARLIER, "started_by": "test"}
        version = {"automation_id": series_id, "version": 1, "definition": {}, "saved_at": EARLIER}
        imported = {"key": "0" * 64, "started_at": EARLIER}
        taken = {"name": bytes(32), "taken_at": EARLIER}
        note_passed_over(work, PassedOver.THIN_EVENT)
        lift = UnsuppressCall(contact="ben", because="it works again")
        unsuppress(work, lift)
        note(work, Origin("eve", Via.COMMAND), "contacts.unsuppress", AuditedChange("ben"))
        somebody = {"anonymousId": "s", "messageId": "m"}
        sent = [
            message_of("identify", somebody),
            message_of("track", {"userId": "eve", "event": "x"}),
        ]
        SEGMENT_PUBLIC.perform(work, sent)
        [(mail,)] = rows(work, messages, "recipient_id")[:1]
        note_bounces(work, {mail: Bounce(True, BounceReason.USER_UNKNOWN)})
        [(key,)] = rows(work, operator_keys, "id")
        proof = {"hash": work.org_id.bytes * 2, "expires_at": EARLIER}
        link = {"link": b"hash", "at": EARLIER, "noted_at": EARLIER}
        rest = (
            (followed_links, {**link, "recipient_id": mail, "machine": False, "is_click": True}),
            (operator_sessions, {**proof, "key_id": key, "created_at": EARLIER}),
            (sign_in_links, proof),
            (automation_active_periods, period),
            (automation_versions, version),
            (csv_imports, imported),
            (hook_deliveries, taken),
            (histories, {"next_at": EARLIER}),
        )
        for table, row in rest:
            connection.execute(insert(table).values(org_id=work.org_id, **row))
    return org


def filled(database: Engine, org: OrgRef) -> dict[str, int]:
    """Return how many rows of the organisation each table has, where there are any."""
    with database.connect() as connection:
        found = {
            table.name: connection.execute(
                select(func.count()).where(table.c.org_id == org.id)
            ).scalar_one()
            for table in TABLES
        }
    return {name: number for name, number in found.items() if number}


def test_an_organisation_goes_with_everything_in_it(shared_database: Engine) -> None:
    """No table keeps a row of an erased organisation; other organisations are unchanged."""
    org, other = peopled(shared_database), peopled(shared_database)
    assert set(filled(shared_database, org)) == {table.name for table in TABLES}
    before = filled(shared_database, other)
    erased_rows = sum(erase_organization(committing(shared_database, org)))
    assert erased_rows == sum(before.values()) + 1, "and the organisation itself"
    assert filled(shared_database, org) == {}
    assert filled(shared_database, other) == before
    with pytest.raises(Refusal, match="There is no organisation"):
        committing(shared_database, org)(lambda work: work.org_id)


def test_an_erasure_that_was_interrupted_goes_on(shared_database: Engine) -> None:
    """From the first page on no call is accepted; erasing again deletes the rest."""
    org = peopled(shared_database)
    transact = committing(shared_database, org)
    [widget_key] = transact(
        lambda work: work.connection.scalars(
            select(organizations.c.widget_key).where(organizations.c.id == work.org_id)
        ).all()
    )
    pages = 0

    def breaking(action: Callable[[Work], _Result]) -> _Result:
        nonlocal pages
        pages += 1
        if pages > 5:
            raise KeyboardInterrupt
        return transact(action)

    before = sum(filled(shared_database, org).values())
    with pytest.raises(KeyboardInterrupt):
        list(erase_organization(breaking, page=1))
    assert 0 < sum(filled(shared_database, org).values()) < before
    with pytest.raises(Refusal, match="names no organisation"):
        committing(shared_database, OrgRef(widget_key=widget_key))(lambda work: work.org_id)
    list(erase_organization(transact, page=1))
    assert filled(shared_database, org) == {}


def test_a_call_under_way_is_waited_for(shared_database: Engine) -> None:
    """The erasure waits for a call under way, and deletes what it wrote."""
    org = committed_organization(shared_database)
    with shared_database.connect() as connection:
        identified(open_work(connection, org, NOW), "late")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(list, erase_organization(committing(shared_database, org)))
            is_waiting = select(func.count()).where(
                func.cardinality(func.pg_blocking_pids(column("pid"))) > 0
            )
            is_waiting = is_waiting.select_from(table("pg_stat_activity"))
            with shared_database.connect() as watcher:
                while not watcher.execute(is_waiting).scalar_one():
                    assert not running.done(), "the erasure did not wait"
            connection.commit()
            running.result()
    assert filled(shared_database, org) == {}
