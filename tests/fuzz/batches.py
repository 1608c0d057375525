"""Calls that come in batches: half of each is good, and goes in whatever the other half is."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Text, any_, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe_all,
    unsubscribe_all,
)
from halo_engine.contacts.consent.suppression import BounceCall, bounce_all
from halo_engine.contacts.csv_import.importing import ImportCsvCall, import_csv
from halo_engine.contacts.events.track import TrackCall, track_all
from halo_engine.contacts.identifying.sync import SyncCall, sync
from halo_engine.contacts.identifying.update import UpdateCall, update
from halo_engine.contacts.stripe.sync import StripeSyncCall, stripe_sync
from halo_engine.domain.errors import Refusal
from halo_engine.mail.incoming.events import MailCall, MailEvent, note_all
from halo_engine.tables import end_users, event_counts, messages
from halo_engine.work import Work
from tests.fuzz.hostile import hostile_value, spoiled
from tests.fuzz.target import LETTER, Target

SIZE: Final = 50

#: The columns of a file, and their fields.
_COLUMNS: Final = {
    "ID": "external_id",
    "Email": "email",
    "Name": "name",
    "MRR": "mrr",
    "Signed up": "signed_up_at",
    "Plan": "custom:plan",
}


def _batch(
    target: Target, prefix: str, entry: Callable[[str], dict[str, Any]]
) -> tuple[list[Any], dict[int, str]]:
    """Return the entries of a batch, and those that are good: their names by index."""
    entries: list[Any] = []
    good = {}
    for index in range(SIZE):
        name = f"{prefix}{target.number()}"
        if target.random.random() < 0.5:
            good[index] = name
            entries.append(entry(name))
        else:
            entries.append(spoiled(target.random, entry(name)))
    return entries, good


def _assert_all_in(target: Target, good: Sequence[str]) -> None:
    """Assert that each of these users is there, with what was said of them."""
    table = end_users
    said = (table.c.name, table.c.stripe_plan, table.c.custom_fields["plan"].astext)
    found = target.read(
        select(table.c.external_id).where(
            table.c.org_id == target.org_id,
            table.c.external_id == any_(literal(list(good), ARRAY(Text()))),
            or_(*[column == target.canary for column in said]),
        )
    )
    assert sorted(found) == sorted(good)


def _play_entries(
    target: Target,
    model: type[BaseModel],
    door: Callable[[Work, Any], Any],
    call: dict[str, Any],
    batch: tuple[list[Any], dict[int, str]],
) -> None:
    """Make one call of a batch: the good are in, and no error is of one of them."""
    entries, good = batch
    answer = target.ask(model, door, call)
    assert not isinstance(answer, Refusal), answer
    assert not {each.index for each in answer.errors} & set(good)
    neither = getattr(answer, "skipped", 0) + getattr(answer, "passed_over", 0)
    counted = answer.created + answer.updated + neither
    assert counted + len(answer.errors) == len(entries)
    _assert_all_in(target, list(good.values()))


def play_update(target: Target) -> None:
    """Backfill users."""
    traits = {"plan": target.canary, "arr": 5, "renewal_status": "at_risk"}
    batch = _batch(target, "u", lambda name: {"user_id": name, "traits": traits})
    call = {"users": batch[0], "user_token": target.token(scope="users.update")}
    _play_entries(target, UpdateCall, update, call, batch)


def play_sync(target: Target) -> None:
    """Take contacts from an integration."""

    def entry(name: str) -> dict[str, Any]:
        email = f"{name}@x.example"
        return {"user_id": name, "email": email, "traits": {"name": target.canary}}

    batch = _batch(target, "s", entry)
    _play_entries(target, SyncCall, sync, {"source": "crm", "contacts": batch[0]}, batch)


def play_stripe_sync(target: Target) -> None:
    """Take a list of subscriptions."""

    def entry(name: str) -> dict[str, Any]:
        return {
            "id": f"sub_{name}",
            "customer": f"cus_{name}",
            "status": "active",
            "items": {"data": [{"price": {"id": "p", "nickname": target.canary}}]},
            "current_period_end": int(target.sandbox.now.timestamp()),
            "metadata": {"user_id": name},
        }

    batch = _batch(target, "c", entry)
    _play_entries(target, StripeSyncCall, stripe_sync, {"subscriptions": batch[0]}, batch)


def play_csv(target: Target) -> None:
    """Import a file; the cells of the bad rows are whatever text there is."""

    def entry(name: str) -> dict[str, Any]:
        cells = (name, f"{name}@x.example", "Name", "12.5", "2026-01-02", target.canary)
        return dict(zip(_COLUMNS, cells, strict=True))

    entries, good = _batch(target, "f", entry)
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    # What is no row is written as one: as a cell too many, or an empty line.
    rows = [each if isinstance(each, dict) else {"ID": each, "more": each} for each in entries]
    writer.writerows([_cell(row[name]) for name in row] for row in rows)
    call = {"text": file.getvalue(), "mapping": _COLUMNS}
    answer = target.ask(ImportCsvCall, import_csv, call)
    assert not isinstance(answer, Refusal), answer
    assert answer.created >= len(good)
    _assert_all_in(target, list(good.values()))


def _cell(value: object) -> str:
    """Return a value as a spreadsheet would write it; objects and huge numbers are no cells."""
    return value if isinstance(value, str) else repr(type(value))


def _play_calls(
    target: Target,
    model: type[BaseModel],
    door: Callable[[Work, list[Any]], list[Any]],
    batch: tuple[list[Any], dict[int, str]],
) -> None:
    """Take a set of calls through a door's set form: no good one is refused."""
    entries, good = batch
    calls = {index: target.call(model, each) for index, each in enumerate(entries)}
    sound = {index: call for index, call in calls.items() if not isinstance(call, Refusal)}
    outcomes = dict(
        zip(sound, target.perform(lambda work: door(work, [*sound.values()])), strict=True)
    )
    answers = [outcomes.get(index, calls[index]) for index in good]
    assert [each for each in answers if isinstance(each, Refusal)] == []


def play_track(target: Target) -> None:
    """Track events; a key that comes again with another body is a 409, and changes nothing."""

    def entry(name: str) -> dict[str, Any]:
        return {
            "event": name,
            "user_id": next(target.users),
            "session_id": "session",
            "properties": {"said": target.canary, "amount": 1.5},
            "timestamp": "2026-05-31T23:00:00Z",
            "idempotency_key": f"key of {name}",
        }

    batch = _batch(target, "event ", entry)
    _play_calls(target, TrackCall, track_all, batch)
    good = list(batch[1].values())
    is_it = event_counts.c.name == any_(literal(good, ARRAY(Text())))
    counted = select(event_counts.c.name).where(event_counts.c.org_id == target.org_id, is_it)
    assert sorted(target.read(counted)) == sorted(good)
    again = [{**entry(name), "event": "something else"} for name in good]
    outcomes = target.perform(
        lambda work: track_all(work, [TrackCall.model_validate(each) for each in again])
    )
    assert {each.status for each in outcomes} <= {409}


def play_lists(target: Target) -> None:
    """Subscribe and unsubscribe: known contacts and a known list."""

    def entry(_: str) -> dict[str, Any]:
        return {"contact": next(target.contacts), "list": "news"}

    _play_calls(target, SubscribeCall, subscribe_all, _batch(target, "", entry))
    _play_calls(target, UnsubscribeCall, unsubscribe_all, _batch(target, "", entry))


def play_bounces(target: Target) -> None:
    """Bounce addresses of leads: a user may have lost its own by an odd call that was good."""
    batch = _batch(target, "", lambda _: {"contact": next(target.leads)})
    _play_calls(target, BounceCall, bounce_all, batch)


def play_mail_events(target: Target) -> None:
    """Open, click and reply to mails that were sent."""
    sent = target.read(
        select(messages.c.message_id)
        .where(messages.c.org_id == target.org_id)
        .order_by(messages.c.recipient_id)
    )
    by_id: Iterator[dict[str, Any]] = cycle({"message_id": each} for each in sent)

    def entry(_: str) -> dict[str, Any]:
        by_step = {"contact": next(target.users), "series": LETTER, "step": "hi"}
        return target.random.choice((next(by_id), by_step))

    for event in MailEvent:
        _play_calls(target, MailCall, partial(note_all, event), _batch(target, "", entry))


def play_envelopes(target: Target) -> None:
    """Spoil the call around a batch: it is refused as a whole, or some of it goes in."""
    calls: tuple[tuple[type[BaseModel], Callable[[Work, Any], Any], dict[str, Any]], ...] = (
        (
            UpdateCall,
            update,
            {
                "users": [{"user_id": "one"}] * target.random.choice((1, 501)),
                "user_token": target.token(scope="users.update"),
                "update_only": True,
            },
        ),
        (SyncCall, sync, {"source": "crm", "contacts": [{"user_id": "one"}]}),
        (StripeSyncCall, stripe_sync, {"subscriptions": [], "as_of": "2026-06-01"}),
        (
            ImportCsvCall,
            import_csv,
            {"text": "ID,Plan\none,pro\n", "mapping": {"ID": "external_id"}},
        ),
    )
    for _ in range(SIZE):
        target.number()
        model, door, call = target.random.choice(calls)
        key = target.random.choice(list(call))
        if target.random.random() < 0.3:
            call = {**call, key: hostile_value(target.random)}
        target.ask(model, door, spoiled(target.random, call))


#: Each door that takes sets.
BATCHES = (
    play_track,
    play_track,
    play_update,
    play_sync,
    play_stripe_sync,
    play_csv,
    play_lists,
    play_bounces,
    play_mail_events,
    play_envelopes,
)
