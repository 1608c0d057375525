"""Whether time alone changes a filter: the date that it compares passes its bound (contract §3)."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Text, and_, collate, literal

from halo_engine.audience import custom
from halo_engine.audience.compiler import Subject, predicate, value_of
from halo_engine.audience.moments import Moment
from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.fields.filters import Filter, date_bound

#: A date is written on its own clock: it may look this much earlier or later than it is.
_CLOCKS_APART = timedelta(days=2)


def turns(item: Filter, subject: Subject, since: Moment, now: Moment) -> ColumnElement[bool]:
    """Return whether a date filter with a bound relative to now gives another answer now than at
    ``since``: bounds only ever move forward, so the date lies between the two.
    """
    bounds = [date_bound(str(item.value), ZoneInfo(at.zone), at.now) for at in (since, now)]
    target = item.target
    if not target.custom:
        value = value_of(target, subject)
        return and_(value >= bounds[0], value < bounds[1]).is_(True)
    fields = subject.company_fields if target.entity is Entity.COMPANY else subject.contact_fields
    # Whether text is a date takes a dozen times as long as to see that it is far off.
    text = collate(custom.written(fields, target.attribute), "C")
    near = and_(text >= _day(bounds[0] - _CLOCKS_APART), text < _day(bounds[1] + _CLOCKS_APART))
    before, after = (predicate(((item,),), subject, at) for at in (since, now))
    return and_(near.is_(True), before != after)


def _day(instant: datetime) -> ColumnElement[str]:
    return literal(f"{instant:%Y-%m-%d}".rjust(10, "0"), Text())
