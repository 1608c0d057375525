"""How far back frequency caps count mails, and whether those are kept as long (§20, §24)."""

from halo_engine.domain.errors import conflict, shown, together
from halo_engine.domain.times.durations import format_duration
from halo_engine.domain.times.frequency import FrequencyCaps, longest_cap
from halo_engine.domain.times.retention import History, Keeps, written_span
from halo_engine.series.checking.spans import CountedSpan, beyond_what_is_kept
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
    spans = [
        CountedSpan(("frequency_caps", number, "within"), cap.within)
        for number, cap in enumerate(caps)
    ]
    faults = beyond_what_is_kept(work, History.MAILS, keeps, spans)
    if faults:
        raise together([each.refusal("") for each in faults])
