"""What would happen to a contact if a draft were active: explain's answer for a draft (§10)."""

from datetime import datetime

from halo_engine.answers.codes import ACTIVE
from halo_engine.domain.answer import Answer
from halo_engine.domain.entering.addresses import first_created
from halo_engine.domain.errors import shown
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import UNREFUSED, ReasonCode
from halo_engine.domain.times.instants import Instant


class Outlook(Answer):
    """The code once the series is active: ``active``, or the reason that would refuse."""

    code: str
    why: str
    change: str | None = None
    until: Instant | None = None


def outlook(
    series: Series, code: str, why: str, change: str | None, until: datetime | None
) -> Outlook:
    """Turn explain's answer for the series as if it were active into an outlook."""
    if code not in [each.key for each in UNREFUSED]:
        return Outlook(code=code, why=why, change=change, until=until)
    match series.entry_trigger:
        case EntryTrigger.MANUAL | EntryTrigger.SEGMENT_MATCH:
            seat = first_created(series.settings)
            why = f"It would be in it: the activation enrolls who matches.{seat}"
            return Outlook(code=ACTIVE, why=why)
        case EntryTrigger.EVENT:
            event = shown(series.settings.entry_event_name)
            held = " and holds the entry filters" if series.settings.entry_event_filters else ""
            return Outlook(
                code=ReasonCode.TRIGGER_NOT_FIRED,
                why=f"Nothing would refuse it: it enters when the event {event} fires{held}.",
                change=f"The event {event} has to fire while the series is active.",
            )
        case EntryTrigger.USER_CREATED:
            return Outlook(
                code=ReasonCode.TRIGGER_NOT_FIRED,
                why="It fits, but the series takes contacts that are created while it is active, "
                "and this one exists already.",
                change="Nothing: use another trigger for contacts that exist.",
            )
