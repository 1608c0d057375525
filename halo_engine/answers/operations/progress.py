"""The progress of an activation, which takes several transactions (§8)."""

from typing import Any

from sqlalchemy import Select, func, select

from halo_engine.domain.answer import Answer
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.signals import PART_OF, SignalKind
from halo_engine.enrollment.pages import ContactCursor, ContactRange
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, end_users, signals
from halo_engine.work import Work


class Progress(Answer):
    """Whether the activation is ``done``, and how many ``contacts`` it has ``looked_at``.

    ``enrolled`` counts the series' enrollments. ``parked`` is the error if the activation was set
    aside.
    """

    done: bool
    contacts: int
    looked_at: int
    enrolled: int
    parked: str | None


def activation_progress(work: Work, series: Series) -> Progress:
    """Return the progress of the activation of ``series``, from its signal's cursor (§8)."""
    signal = work.connection.execute(_read_activation(work, series)).one_or_none()
    until = work.now if signal is None else signal.created_at
    contacts = _count(work, ContactRange(None, None, until))
    cursor = None if signal is None else ContactCursor.of_cursor(signal.cursor)
    looked_at = _count(work, ContactRange(None, cursor, until)) if cursor else 0
    enrolled = work.connection.scalar(_count_runs(work, series))
    return Progress(
        done=signal is None,
        contacts=contacts,
        looked_at=contacts if signal is None else looked_at,
        enrolled=enrolled or 0,
        parked=signal.error if signal is not None and signal.retry_at is None else None,
    )


@statement("read_activation")
def _read_activation(work: Work, series: Series) -> Select[Any]:
    return select(
        signals.c.cursor, signals.c.created_at, signals.c.error, signals.c.retry_at
    ).where(
        signals.c.org_id == work.org_id,
        signals.c.automation_id == series.id,
        signals.c.kind == SignalKind.ACTIVATED,
        # A contact that failed alone has a signal of its own: not the activation's.
        signals.c.cursor[PART_OF].is_(None),
    )


@statement("count_runs")
def _count_runs(work: Work, series: Series) -> Select[Any]:
    runs = automation_enrollments
    return select(func.count()).where(
        runs.c.org_id == work.org_id, runs.c.automation_id == series.id
    )


def _count(work: Work, page: ContactRange) -> int:
    return work.connection.scalar(_counted(work, page), page.values()) or 0


@statement("count_page")
def _counted(work: Work, page: ContactRange) -> Select[Any]:
    contact = end_users
    return select(func.count()).where(contact.c.org_id == work.org_id, *page.holds(contact))
