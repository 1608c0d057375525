"""The zone that a contact is in, and when email may be sent there (contract §20)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, case, func
from sqlalchemy.sql.elements import Grouping

#: What is longer names no zone; nobody's long text is carried along.
_LONGEST: Final = 64


def zone_trait(contact: FromClause) -> ColumnElement[str | None]:
    """Return the trait ``timezone`` as text, cut short; ``quiet_hours.contact_zone`` says whether
    it names a zone.
    """
    return func.left(contact.c.custom_fields["timezone"].astext, _LONGEST)


def opening_at(
    due: ColumnElement[datetime],
    opens: ColumnElement[Sequence[datetime]],
    closes: ColumnElement[Sequence[datetime]],
    furthest: ColumnElement[timedelta],
) -> ColumnElement[datetime]:
    """Return the first instant at or after ``due`` that lies in an opening; ``due`` itself if there
    is none within ``furthest``. The openings are ``MailTimes.openings``.
    """
    # How many closed before it is due: the next is the one it lies in or waits for.
    closed = func.width_bucket(due, closes)
    following: ColumnElement[Any] = Grouping(opens)[closed + 1]
    return case((following <= due + furthest, func.greatest(following, due)), else_=due)
