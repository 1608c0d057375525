"""Explain: why a contact is, or is not, in a series (contract §4, §10)."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from halo_engine.answers.codes import ACTIVE, COULD_BE_OTHER, lacking_since
from halo_engine.answers.contact_facts import gather_contact_facts
from halo_engine.answers.explain.latest_event import latest_events
from halo_engine.answers.explain.outlook import Outlook, outlook
from halo_engine.answers.explain.position import Position, locate
from halo_engine.answers.explain.reasons import reason_now, reason_then
from halo_engine.answers.explain.unhandled import Unhandled, unhandled
from halo_engine.answers.filter_results import filter_results
from halo_engine.answers.reports.failures import FailedMail, failures_of
from halo_engine.answers.said_filter import SaidFilter, said
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import not_found
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.fields.results import FilterResult
from halo_engine.domain.reasons import AudienceType, SeriesStatus
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.explain_facts import ContactFacts, ExplainFacts, Reason
from halo_engine.domain.series.guards import GUARD_OF, GUARDS, ReasonCode
from halo_engine.domain.times.instants import Instant, format_instant
from halo_engine.work import Work

_NOT_FIRED: Final = ReasonCode.TRIGGER_NOT_FIRED


class SeenFilter(SaidFilter):
    """A filter that decided, and the value that it read.

    ``seen`` is None if nothing is stored. ``missing`` is true for no value and for one of another
    type.
    """

    seen: JsonValue
    missing: bool


class Explanation(Answer):
    """One contact and one series.

    ``code`` is ``active`` or a reason code of §4. ``refused_at`` is the instant of a kept refusal;
    ``until`` is when time alone changes the answer. ``filters`` are those that keep the contact out
    now: audience filters that fail, exit filters that hold, or entry filters that the latest event
    did not hold. ``failed_mails`` are the latest
    mails of the series that it did not get. For a draft, ``filters`` and ``once_active`` say what
    would apply if it were active. ``complete_since``: a refusal, or an event, from before is not
    kept any more, and could be the reason (§24).
    """

    contact_id: UUID
    contact: str
    series: str
    code: str
    why: str
    change: str | None = None
    refused_at: Instant | None = None
    until: Instant | None = None
    filters: tuple[SeenFilter, ...] = ()
    position: Position | None = None
    failed_mails: tuple[FailedMail, ...] = ()
    once_active: Outlook | None = None
    complete_since: Instant | None = None


def explain(work: Work, series: Series, contacts: Sequence[UUID]) -> list[Explanation]:
    """Return an explanation for each of ``contacts``, in their order (contract §4, §10).

    The number of statements does not depend on the number of contacts. Raises 404 for an unknown
    one.
    """
    if series.status is not SeriesStatus.DRAFT:
        return _explain(work, series, contacts)
    would_be = _explain(work, replace(series, status=SeriesStatus.ACTIVE), contacts)
    return [
        each.model_copy(
            update={
                "filters": then.filters,
                "once_active": outlook(series, then.code, then.why, then.change, then.until),
            }
        )
        for each, then in zip(_explain(work, series, contacts), would_be, strict=True)
    ]


def _explain(work: Work, series: Series, contacts: Sequence[UUID]) -> list[Explanation]:
    known = gather_contact_facts(work, series, contacts)
    for contact_id in contacts:
        if contact_id not in known:
            raise not_found("contact", str(contact_id))
    active = [id_ for id_, each in known.items() if each.code == ACTIVE]
    standing = locate(work, series, active) if active else {}
    facts_of = {each.known.contact_id: each for each in _facts(work, series, known.values())}
    waiting = unhandled(work, series, contacts)
    failed = failures_of(work, contacts, series)
    explained = (
        _enrolled(series, known[id_], standing.get(id_), waiting.get(id_))
        if known[id_].code == ACTIVE
        else _not_enrolled(work, facts_of[id_], waiting.get(id_))
        for id_ in contacts
    )
    since = lacking_since(work, series, {each.code for each in known.values()})
    return [
        each.model_copy(
            update={
                "failed_mails": tuple(failed.get(each.contact_id, ())),
                "complete_since": since if each.code in COULD_BE_OTHER else None,
            }
        )
        for each in explained
    ]


def _facts(work: Work, series: Series, known: Collection[ContactFacts]) -> Iterator[ExplainFacts]:
    """Evaluate the filters, for the contacts that are kept out by them."""
    by_filters = [guard.key for guard in GUARDS if guard.shows is not None]
    audience = series.audience_filters if series.audience_type is AudienceType.SEGMENT else ()
    groups = (*audience, *series.exit_filters)
    kept_out = [each.contact_id for each in known if each.guard in by_filters]
    seen = filter_results(work, [item for group in groups for item in group], kept_out)
    untriggered = [each.contact_id for each in known if each.code == _NOT_FIRED]
    latest = latest_events(work, series, untriggered)
    for each in known:
        looked = iter(seen.get(each.contact_id, ()))
        yield ExplainFacts(
            series=series,
            known=each,
            audience=_grouped(audience, looked),
            exits=_grouped(series.exit_filters, looked),
            zone=work.org.zone,
            now=work.now,
            event=latest.get(each.contact_id),
        )


def _grouped(groups: FilterGroups, seen: Iterator[FilterResult]) -> list[list[FilterResult]]:
    return [list(islice(seen, len(group))) for group in groups]


def _enrolled(
    series: Series,
    known: ContactFacts,
    position: Position | None,
    waiting: Unhandled | None,
) -> Explanation:
    # The run may end between the two statements; then there is no position.
    where = f"at step ‘{position.step}’" if position else "and leaves it at this moment"
    also = f" {waiting.why}" if waiting else ""
    return Explanation(
        contact_id=known.contact_id,
        contact=known.contact,
        series=series.key,
        code=ACTIVE,
        why=f"It is in the series, {where}.{also}",
        change=waiting.change if waiting else None,
        position=position,
    )


def _not_enrolled(work: Work, facts: ExplainFacts, waiting: Unhandled | None) -> Explanation:
    known, code = facts.known, ReasonCode(facts.known.code)
    word = reason_now if known.refused_at is None else reason_then
    reason = word(work, facts, code)
    if waiting is not None:
        # If no guard refuses it, the signal that waits is the whole reason.
        before = (reason,) if code in GUARD_OF else ()
        reason = Reason(
            " ".join(each.why for each in (*before, waiting)),
            " ".join(each.change for each in (*before, waiting)),
            waiting.until,
        )
    return Explanation(
        contact_id=known.contact_id,
        contact=known.contact,
        series=facts.series.key,
        code=code,
        why=reason.why,
        change=reason.change,
        refused_at=known.refused_at,
        until=reason.until,
        filters=tuple(_filters(facts)),
    )


def _filters(facts: ExplainFacts) -> Iterator[SeenFilter]:
    """Yield the filters behind the current guard; none if the guard is not about filters. Where the
    trigger has not fired, they are those that its latest event did not hold.
    """
    if facts.known.code == _NOT_FIRED and facts.event is not None and not facts.event.holds:
        for g, group in enumerate(facts.event.groups):
            for n, seen in enumerate(group):
                if not seen.holds:
                    yield _answered(f"entry_event_filters[{g}][{n}]", seen)
        return
    shows = GUARD_OF[ReasonCode(facts.known.guard)].shows if facts.known.guard else None
    if shows is None:
        return
    groups = facts.audience if shows.place == "audience_filters" else facts.exits
    for g, group in enumerate(groups):
        for n, seen in enumerate(group):
            if shows.decide(group, seen):
                yield _answered(f"{shows.place}[{g}][{n}]", seen)


def _answered(place: str, seen: FilterResult) -> SeenFilter:
    value = seen.value
    return SeenFilter(
        **said(place, seen.filter),
        seen=format_instant(value) if isinstance(value, datetime) else value,
        missing=seen.missing,
    )
