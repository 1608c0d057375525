"""The progress of an activation, which takes several transactions (§8)."""

from sqlalchemy import func, select

from halo_engine.answers.shape import Answer
from halo_engine.domain.series import Series
from halo_engine.domain.signals import PART_OF, SignalKind
from halo_engine.enrollment.pages import Page, Place
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
    signal = work.connection.execute(
        select(signals.c.cursor, signals.c.created_at, signals.c.error, signals.c.retry_at).where(
            signals.c.org_id == work.org_id,
            signals.c.automation_id == series.id,
            signals.c.kind == SignalKind.ACTIVATED,
            # A contact that failed alone has a signal of its own: not the activation's.
            signals.c.cursor[PART_OF].is_(None),
        )
    ).one_or_none()
    until = work.now if signal is None else signal.created_at
    contacts = _count(work, Page(None, None, until))
    place = None if signal is None else Place.of_cursor(signal.cursor)
    looked_at = _count(work, Page(None, place, until)) if place else 0
    runs = automation_enrollments
    enrolled = work.connection.scalar(
        select(func.count()).where(runs.c.org_id == work.org_id, runs.c.automation_id == series.id)
    )
    return Progress(
        done=signal is None,
        contacts=contacts,
        looked_at=contacts if signal is None else looked_at,
        enrolled=enrolled or 0,
        parked=signal.error if signal is not None and signal.retry_at is None else None,
    )


def _count(work: Work, page: Page) -> int:
    contact = end_users
    return (
        work.connection.scalar(
            select(func.count()).where(contact.c.org_id == work.org_id, *page.holds(contact)),
            page.values(),
        )
        or 0
    )
