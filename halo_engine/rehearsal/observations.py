"""The observations of scenarios: queries of the database, and the engine's answers."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, and_, any_, distinct, func, literal, select
from sqlalchemy.dialects.postgresql import distinct_on

from halo_engine.answers.diagnose.diagnose import diagnose
from halo_engine.answers.explain.explain import explain
from halo_engine.answers.reports.ledger import ledger
from halo_engine.audience.matched import count_matched
from halo_engine.contacts.finding import find_contacts, find_known
from halo_engine.domain.series.definition import Series
from halo_engine.series.files.check import check
from halo_engine.series.files.history import history
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    audience_fields,
    automation_enrollments,
    automation_recipients,
    automation_steps,
    end_users,
    held_entries,
    messages,
)
from halo_engine.work import Work

RECIPIENT_KEYS: Final = (
    "contact",
    "step",
    "status",
    "reason",
    "exit_reason",
    "scheduled_for",
    "created_at",
)

_RUNS = automation_enrollments
#: A contact's name in scenarios: its external ID, else its email.
_NAME = func.coalesce(end_users.c.external_id, end_users.c.email)


def status(_work: Work, series: Series) -> str:
    """Return the status of a series."""
    return series.status.value


def matched(work: Work, series: Series) -> int:
    """Return the preview's count."""
    return count_matched(work.connection, work.org_id, series, work.moment)


def versions(work: Work, series: Series) -> int:
    """Return how many versions a series has."""
    return len(history(work, series.key).versions)


def enrolled(work: Work, series: Series) -> int:
    """Return how many contacts were ever enrolled, each counted once."""
    return _count(work, series, distinct(_RUNS.c.end_user_id))


def enrollments(work: Work, series: Series) -> int:
    """Return how many runs there ever were."""
    return _count(work, series, _RUNS.c.id)


def _count(work: Work, series: Series, what: Any) -> int:
    number: int = work.connection.execute(_rehearsal_count(work, series, what)).scalar_one()
    return number


@statement("rehearsal_count", what=_RUNS.c.id)
def _rehearsal_count(work: Work, series: Series, what: Any) -> Select[Any]:
    return select(func.count(what)).where(*_of_series(work, series))


def _of_series(work: Work, series: Series) -> list[Any]:
    return [_RUNS.c.org_id == work.org_id, _RUNS.c.automation_id == series.id]


def _contacts(work: Work, series: Series, condition: Any) -> list[str]:
    return list(work.connection.scalars(_rehearsal_contacts(work, series, condition)))


@statement("rehearsal_contacts", condition=_RUNS.c.ended_at.is_(None))
def _rehearsal_contacts(work: Work, series: Series, condition: Any) -> Select[Any]:
    return (
        select(_NAME)
        .distinct()
        .select_from(_RUNS.join(end_users, _is_contact_of(_RUNS)))
        .where(*_of_series(work, series), condition)
    )


def _is_contact_of(table: Any) -> Any:
    return and_(end_users.c.org_id == table.c.org_id, end_users.c.id == table.c.end_user_id)


def active(work: Work, series: Series) -> list[str]:
    """Return the contacts with an active enrollment."""
    return _contacts(work, series, _RUNS.c.ended_at.is_(None))


def held(work: Work, series: Series) -> list[str]:
    """Return the contacts that a surge holds, in order of arrival."""
    return list(work.connection.scalars(_rehearsal_held(work, series)))


def surge_at_most(_work: Work, series: Series) -> int | None:
    """Return how many a span of the series' surge takes."""
    return series.surge_at_most


@statement("rehearsal_held")
def _rehearsal_held(work: Work, series: Series) -> Select[Any]:
    place = held_entries
    return (
        select(_NAME)
        .select_from(place.join(end_users, _is_contact_of(place)))
        .where(place.c.org_id == work.org_id, place.c.automation_id == series.id)
        .order_by(place.c.id)
    )


def converted(work: Work, series: Series) -> list[str]:
    """Return the contacts that converted, in any of their runs."""
    return _contacts(work, series, _RUNS.c.converted_at.is_not(None))


def exited(work: Work, series: Series) -> dict[str, str]:
    """Return the exit reason of each contact whose latest run has ended."""
    return {
        row.name: row.exit_reason
        for row in work.connection.execute(_rehearsal_exits(work, series))
        if row.exit_reason
    }


@statement("rehearsal_exits")
def _rehearsal_exits(work: Work, series: Series) -> Select[Any]:
    return (
        select(_RUNS.c.end_user_id, _RUNS.c.exit_reason, _NAME.label("name"))
        .ext(distinct_on(_RUNS.c.end_user_id))
        .select_from(_RUNS.join(end_users, _is_contact_of(_RUNS)))
        .where(*_of_series(work, series))
        .order_by(_RUNS.c.end_user_id, _RUNS.c.number.desc())
    )


def sent(work: Work, series: Series) -> dict[str, list[str]]:
    """Return the steps whose email each contact was sent, in order of sending."""
    rows = work.connection.execute(_rehearsal_mails(work, series))
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(row.key)
    return found


@statement("rehearsal_mails")
def _rehearsal_mails(work: Work, series: Series) -> Select[Any]:
    return (
        select(_NAME.label("name"), automation_steps.c.key)
        .select_from(
            messages.join(end_users, _is_contact_of(messages)).join(
                automation_steps,
                and_(
                    automation_steps.c.org_id == messages.c.org_id,
                    automation_steps.c.id == messages.c.step_id,
                ),
            )
        )
        .where(
            messages.c.org_id == work.org_id,
            messages.c.automation_id == series.id,
            messages.c.state == "sent",
        )
        .order_by(messages.c.sent_at, messages.c.recipient_id)
    )


def recipients(work: Work, series: Series) -> list[dict[str, Any]]:
    """Return the recipient rows of a series."""
    rows = work.connection.execute(_rehearsal_rows(work, series)).mappings()
    return [_on_clock_of(work, dict(row)) for row in rows]


def _on_clock_of(work: Work, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with its instants on the organisation's clock, as a scenario writes them."""
    return {
        name: value.astimezone(work.org.zone) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


@statement("rehearsal_rows")
def _rehearsal_rows(work: Work, series: Series) -> Select[Any]:
    rows = automation_recipients
    return (
        select(
            _NAME.label("contact"),
            automation_steps.c.key.label("step"),
            *[rows.c[name] for name in RECIPIENT_KEYS[2:]],
        )
        .select_from(
            rows.join(end_users, _is_contact_of(rows)).join(
                automation_steps,
                and_(
                    automation_steps.c.org_id == rows.c.org_id,
                    automation_steps.c.id == rows.c.step_id,
                ),
            )
        )
        .where(rows.c.org_id == work.org_id, rows.c.automation_id == series.id)
        .order_by(rows.c.id)
    )


def explanations(work: Work, series: Series, names: Sequence[str]) -> dict[str, str]:
    """Return the code that explain gives for each named contact."""
    answers = explain(work, series, find_contacts(work, names))
    return {name: answer.code for name, answer in zip(names, answers, strict=True)}


def ledger_of(work: Work, series: Series) -> dict[str, int]:
    """Return the non-empty buckets of the ledger."""
    return dict(ledger(work, series).buckets)


def diagnosis(work: Work, series: Series) -> dict[str, Any]:
    """Return the diagnosis of a series as data."""
    return diagnose(work, series).model_dump(mode="json")


def preflight(work: Work, series: Series) -> list[str]:
    """Return every failing activation check (contract §8)."""
    return list(check(work, series).refusals)


def contact_values(work: Work, name: str) -> dict[str, Any] | None:
    """Return a contact's columns, ``custom:NAME`` and ``context:KEY``; None when there is none."""
    found = find_known(work, [name])
    if not found:
        return None
    row = work.connection.execute(_rehearsal_contact(work, found[0])).mappings().one()
    custom = {f"custom:{key}": value for key, value in row["custom_fields"].items()}
    context = {f"context:{key}": value for key, value in row["context"].items()}
    return {**_on_clock_of(work, dict(row)), **custom, **context}


@statement("rehearsal_contact")
def _rehearsal_contact(work: Work, contact_id: UUID) -> Select[Any]:
    contact = end_users
    return select(contact).where(contact.c.org_id == work.org_id, contact.c.id == contact_id)


def names_of(work: Work, contacts: Sequence[str]) -> dict[str, str]:
    """Return how observations name each of the contacts; those that are not there are left out."""
    found = find_known(work, contacts)
    rows = work.connection.execute(_rehearsal_names(work, set(found.values())))
    names = {row.id: row.name for row in rows}
    return {contacts[place]: names[contact_id] for place, contact_id in found.items()}


@statement("rehearsal_names")
def _rehearsal_names(work: Work, contact_ids: Iterable[UUID]) -> Select[Any]:
    of_them = end_users.c.id == any_(literal(list(contact_ids), ARRAY(Uuid())))
    return select(end_users.c.id, _NAME.label("name")).where(
        end_users.c.org_id == work.org_id, of_them
    )


def registered_fields(work: Work) -> set[str]:
    """Return the registered custom fields by their names in filters."""
    prefix = {"contact": "custom:", "company": "company.custom:"}
    rows = work.connection.execute(_rehearsal_fields(work))
    return {prefix[row.entity] + row.key for row in rows}


@statement("rehearsal_fields")
def _rehearsal_fields(work: Work) -> Select[Any]:
    table = audience_fields
    return select(table.c.entity, table.c.key).where(table.c.org_id == work.org_id)


def mails(sent_messages: Iterable[EmailMessage]) -> list[dict[str, Any]]:
    """Return each message as data: to, subject, headers, and the text of its parts."""
    return [
        {
            "to": str(message["To"]),
            "subject": str(message["Subject"]),
            "headers": {name: str(value) for name, value in message.items()},
            "text": "\n".join(
                part.get_content()
                for part in message.walk()
                if part.get_content_maintype() == "text"
            ),
        }
        for message in sent_messages
    ]
