"""How far back frequency caps count mails, and whether those are kept as long (§20, §24)."""

from datetime import timedelta

from halo_engine.domain.errors import Fault, conflict, shown, together
from halo_engine.domain.times.durations import format_duration
from halo_engine.domain.times.frequency import FrequencyCaps, longest_cap
from halo_engine.domain.times.retention import History, Keeps, written_span
from halo_engine.series.histories import complete_since
from halo_engine.work import Work


def check_caps_and_mails(work: Work, caps: FrequencyCaps, keeps: Keeps) -> None:
    """Check the caps and ``keeps`` that an organisation is about to have.

    Raises a 400 that names each cap, of new ones, that looks further back than mails are kept, or
    than they are there; and a 409 if mails would be kept for less long than caps count them.
    """
    if caps != work.org.frequency_caps:
        _refuse_longer_than_kept(work, caps, keeps)
    kept, counted = keeps[History.MAILS], longest_cap(caps)
    if kept is not None and counted > kept:
        raise conflict(
            "counted_longer",
            f"keeps.mails: {shown(written_span(kept))} is too short: frequency caps count mails of "
            f"the last {format_duration(counted)}.",
        )


def _refuse_longer_than_kept(work: Work, caps: FrequencyCaps, keeps: Keeps) -> None:
    since = complete_since(work, History.MAILS)
    there = None if since is None else work.now - since
    bounds = [bound for bound in (keeps[History.MAILS], there) if bound is not None]
    if not bounds:
        return
    allowed = min(bounds)
    and_those = "" if since is None else f", and those since {since:%Y-%m-%d} are there"
    faults = [
        Fault(
            ("frequency_caps", number, "within"),
            f"{shown(format_duration(cap.within))} is longer than mails are kept{and_those}; "
            f"allowed are spans up to {format_duration(timedelta(days=allowed.days))}",
            "longer_than_kept",
        )
        for number, cap in enumerate(caps)
        if cap.within > allowed
    ]
    if faults:
        raise together([each.refusal("") for each in faults])
