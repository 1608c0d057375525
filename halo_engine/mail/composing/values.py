"""Read the values of merge fields for a set of contacts in one statement (contract §9), and those
of properties of the events that began their runs in another (contract §21).
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, Select, Uuid, any_, literal, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.audience.compiler import Subject, value_of
from halo_engine.audience.matching import scan
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.fields.if_blocks import IsSet
from halo_engine.domain.fields.merge_fields import MergeField
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.email import Email
from halo_engine.sql.parameters import PARAMETERS
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, events
from halo_engine.tables.enrollments import is_run
from halo_engine.tables.events import KEPT_PROPERTIES
from halo_engine.work import Work

#: A run, by its key: the ids of contact and series, and its number.
RunKey = tuple[UUID, UUID, int]

_RUN: Final = (PARAMETERS["contact_id"].sample, PARAMETERS["series_id"].sample, 1)
_ASKED: Final[Sequence[MergeField | IsSet]] = [MergeField.of("event.plan")]


def fields_of_email(email: Email) -> frozenset[MergeField | IsSet]:
    """Return the values that an email names; empty if it cannot be read."""
    # Writing the email will report the fault.
    with suppress(Refusal):
        return email.asks()
    return frozenset()


def gather_values(
    work: Work, contacts: Collection[UUID], fields: Collection[MergeField | IsSet]
) -> Mapping[UUID, Mapping[str, str]]:
    """Return for each contact that exists the texts of the fields, by their names.

    Missing values are blank. Dates are on the organisation's clock (``MergeField.text_of``).
    Properties of events are left out: ``gather_kept_values`` reads them.
    """
    asked = [each for each in fields if not _is_property(each)]
    rows = work.connection.execute(_gather_merge_values(work, contacts, asked))
    return {id_: _texts(work, asked, values) for id_, *values in rows}


@statement("gather_merge_values")
def _gather_merge_values(
    work: Work, contacts: Collection[UUID], fields: Collection[MergeField | IsSet]
) -> Select[Any]:
    subject = Subject.of_contacts()
    columns = _columns(fields, subject)
    contact = subject.contact
    return (
        select(contact.c.id, *columns)
        .select_from(scan(subject, columns))
        .where(
            contact.c.org_id == work.org_id,
            contact.c.id == any_(literal(list(contacts), ARRAY(Uuid()))),
        )
    )


def gather_kept_values(
    work: Work, runs: Collection[RunKey], fields: Collection[MergeField | IsSet]
) -> Mapping[RunKey, Mapping[str, str]]:
    """Return for each run the texts of those ``fields`` that are properties of the event that began
    it; if there are none, nothing is read (contract §21).
    """
    asked = [each for each in fields if _is_property(each)]
    if not asked or not runs:
        return {}
    rows = work.connection.execute(_gather_kept_values(work, sorted(runs), asked))
    return {
        (contact_id, series_id, number): _texts(work, asked, values)
        for contact_id, series_id, number, *values in rows
    }


@statement("gather_kept_values", runs=[_RUN], fields=_ASKED)
def _gather_kept_values(
    work: Work, runs: Collection[RunKey], fields: Collection[MergeField | IsSet]
) -> Select[Any]:
    contacts, series, numbers = zip(*runs, strict=True)
    given = rows_of(
        "given",
        {
            "end_user_id": (Uuid(), contacts),
            "automation_id": (Uuid(), series),
            "number": (Integer(), numbers),
        },
    )
    table = automation_enrollments
    subject = Subject.of_contacts().with_properties(table.c.event_properties)
    return (
        select(*given.c, *_columns(fields, subject))
        .select_from(given)
        .join(table, is_run(table, work.org_id, given))
    )


def gather_sample_values(
    work: Work, series: Series, contact_id: UUID, fields: Collection[MergeField | IsSet]
) -> Mapping[str, str]:
    """Return the same for a mail that is shown: of the contact's latest run in the series, or if it
    was never in it, of the latest event that could begin one.
    """
    asked = [each for each in fields if _is_property(each)]
    if not asked:
        return {}
    rows = work.connection.execute(_gather_sample_values(work, series, contact_id, asked))
    return next((_texts(work, asked, values) for values in rows), {})


@statement("gather_sample_values", fields=_ASKED)
def _gather_sample_values(
    work: Work, series: Series, contact_id: UUID, fields: Collection[MergeField | IsSet]
) -> Select[Any]:
    runs = automation_enrollments
    of_run = (
        select(literal_column("1").label("place"), runs.c.event_properties.label("kept"))
        .where(
            runs.c.org_id == work.org_id,
            runs.c.automation_id == series.id,
            runs.c.end_user_id == contact_id,
        )
        .order_by(runs.c.number.desc())
        .limit(1)
        .subquery("of_run")
    )
    name = series.settings.entry_event_name if _begins_with_event(series) else None
    of_event = (
        select(literal_column("2").label("place"), KEPT_PROPERTIES.label("kept"))
        .where(
            events.c.org_id == work.org_id,
            events.c.end_user_id == contact_id,
            events.c.name == name,
            events.c.live,
        )
        .order_by(events.c.happened_at.desc(), events.c.id.desc())
        .limit(1)
        .subquery("of_event")
    )
    both = select(of_run).union_all(select(of_event)).subquery("kept")
    first = select(both.c.kept).order_by(both.c.place).limit(1).subquery("first")
    return select(*_columns(fields, Subject.of_contacts().with_properties(first.c.kept)))


def _begins_with_event(series: Series) -> bool:
    return series.entry_trigger is EntryTrigger.EVENT


def _is_property(asked: MergeField | IsSet) -> bool:
    return asked.field.entity is Entity.PROPERTY


def _columns(
    fields: Collection[MergeField | IsSet], subject: Subject
) -> Sequence[ColumnElement[Any]]:
    return [value_of(each.field, subject).label(f"value_{n}") for n, each in enumerate(fields)]


def _texts(
    work: Work, asked: Sequence[MergeField | IsSet], values: Sequence[Any]
) -> Mapping[str, str]:
    zone = ZoneInfo(work.org.timezone)
    return {
        each.named: each.text_of(value, zone) for each, value in zip(asked, values, strict=True)
    }
