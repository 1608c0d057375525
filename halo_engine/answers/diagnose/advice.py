"""Advice for the causes of "0 matched": plain rules over counts (contract §10).

The causes are those of the troubleshooting page. Each has a code for programs, and a text that says
what is wrong and what to do.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from halo_engine.answers.diagnose.causes import Advice, Cause
from halo_engine.answers.diagnose.counts import Counts
from halo_engine.answers.diagnose.filter_advice import FilterFacts, advise_on_filter
from halo_engine.domain.errors import shown
from halo_engine.domain.phrases import counted_contacts
from halo_engine.domain.reasons import AudienceType, ContactTypeChoice, SeriesStatus
from halo_engine.domain.series.definition import Series


def advise(series: Series, counts: Counts, filters: Sequence[FilterFacts]) -> Iterator[Advice]:
    """Yield advice for each cause that is present: contacts first, then the source, then each
    filter.
    """
    yield from _on_people(series, counts)
    yield from _on_source(series, counts)
    for each in filters:
        if each.eligible:
            yield from advise_on_filter(each)
    if _never_together(counts):
        yield Advice(
            cause=Cause.NEVER_TOGETHER,
            text="Every filter passes somebody, but nobody passes all of a group together.",
        )
    if series.status is SeriesStatus.DRAFT:
        yield Advice(
            cause=Cause.STILL_A_DRAFT,
            text="The series is still a draft: it can match, but enrolls nobody until it is "
            "activated.",
        )


def _on_people(series: Series, counts: Counts) -> Iterator[Advice]:
    if counts.contacts == 0:
        yield Advice(
            cause=Cause.NO_CONTACTS,
            text="There are no contacts yet: one exists from its first identify (SDK or REST), "
            "Stripe sync or import. Call identify from your server when somebody signs up.",
        )
    if counts.other_type:
        is_user = series.contact_type is ContactTypeChoice.USER
        hint = " A lead counts once it is identified with a user ID." if is_user else ""
        yield Advice(
            cause=Cause.CONTACT_TYPE,
            contacts=counts.other_type,
            text=f"For {counted_contacts(counts.other_type)} the audience holds, but the series is "
            f"for {series.contact_type}s only.{hint}",
        )
    if counts.suppressed:
        yield Advice(
            cause=Cause.SUPPRESSION,
            contacts=counts.suppressed,
            text=f"For {counted_contacts(counts.suppressed)} the audience holds, but the address "
            "bounced or is unsubscribed from everything; those are never counted and never "
            "enrolled.",
        )


def _on_source(series: Series, counts: Counts) -> Iterator[Advice]:
    match series.audience_type:
        case AudienceType.ALL if without := counts.eligible - counts.matched:
            text = f"{counted_contacts(without)} without an email address cannot match."
            yield Advice(cause=Cause.NO_ADDRESS, contacts=without, text=text)
        case AudienceType.SUBSCRIPTION if counts.list_key is None:
            yield Advice(cause=Cause.NO_LIST, text="Pick a subscription list under Audience.")
        case AudienceType.SUBSCRIPTION if counts.in_audience == 0:
            text = f"The list {shown(counts.list_key)} has no subscribers: they have to opt in."
            yield Advice(cause=Cause.EMPTY_LIST, text=text)
        case AudienceType.SEGMENT if not series.audience_filters:
            yield Advice(cause=Cause.NO_FILTER, text="Add at least one filter under Audience.")


def _never_together(counts: Counts) -> bool:
    """Return whether nobody matches although each filter of some group passes somebody."""
    groups = groupby(counts.filters, key=lambda each: each.group)
    return counts.matched == 0 and any(
        all(each.passes_alone for each in group) for _, group in groups
    )
