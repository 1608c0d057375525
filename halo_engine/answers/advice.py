"""Advice for the causes of "0 matched": plain rules over counts (contract §10).

The causes are those of the troubleshooting page; each is named, so that a program can tell them
apart, and says in a sentence or two what is so and what to do.
"""

from collections.abc import Iterator
from enum import StrEnum
from itertools import groupby
from typing import Final

from halo_engine.answers.counts import Counts, FilterCounts
from halo_engine.answers.phrases import described
from halo_engine.answers.shape import Answer
from halo_engine.contacts.doors import TRAIT_COLUMNS
from halo_engine.domain.errors import shown
from halo_engine.domain.fields import Entity, Field
from halo_engine.domain.reasons import AudienceType, ContactTypeChoice, SeriesStatus
from halo_engine.domain.series import Series


class Cause(StrEnum):
    """What keeps an audience from matching."""

    NO_CONTACTS = "no_contacts"
    CONTACT_TYPE = "contact_type"
    SUPPRESSION = "suppression"
    NO_ADDRESS = "no_address"
    NO_LIST = "no_list"
    EMPTY_LIST = "empty_list"
    NO_FILTER = "no_filter"
    FIELD_NEVER_SENT = "field_never_sent"
    FIELD_OFTEN_MISSING = "field_often_missing"
    SIGNED_UP_AT_EMPTY = "signed_up_at_empty"
    LOOK_ALIKE_FIELD = "look_alike_field"
    EMPTY_STRIPE_SET = "empty_stripe_set"
    EMPTY_COMPANY_SET = "empty_company_set"
    NOBODY_PASSES = "nobody_passes"
    NEVER_TOGETHER = "never_together"
    STILL_A_DRAFT = "still_a_draft"


class Advice(Answer):
    """One cause, the field that it is about if it is about one, how many contacts, and a text."""

    cause: Cause
    field: str | None = None
    contacts: int | None = None
    text: str


_BACKFILL: Final = (
    "For contacts that exist already, backfill it with the Update / Backfill API or a CSV import; "
    "do not loop identify, which bumps everybody's last_seen."
)


def advise(series: Series, counts: Counts) -> Iterator[Advice]:
    """Yield advice for every cause that is present: who is asked first, then filter by filter."""
    yield from _on_people(series, counts)
    yield from _on_source(series, counts)
    for each in counts.filters:
        yield from _on_filter(each, counts)
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
            text=f"For {_contacts(counts.other_type)} the audience holds, but the series is for "
            f"{series.contact_type}s only.{hint}",
        )
    if counts.suppressed:
        yield Advice(
            cause=Cause.SUPPRESSION,
            contacts=counts.suppressed,
            text=f"For {_contacts(counts.suppressed)} the audience holds, but the address bounced "
            "or is unsubscribed from everything; those are never counted and never enrolled.",
        )


def _on_source(series: Series, counts: Counts) -> Iterator[Advice]:
    match series.audience_type:
        case AudienceType.ALL if without := counts.eligible - counts.matched:
            text = f"{_contacts(without)} without an email address cannot match."
            yield Advice(cause=Cause.NO_ADDRESS, contacts=without, text=text)
        case AudienceType.SUBSCRIPTION if counts.list_key is None:
            yield Advice(cause=Cause.NO_LIST, text="Pick a subscription list under Audience.")
        case AudienceType.SUBSCRIPTION if counts.in_audience == 0:
            text = f"The list {shown(counts.list_key)} has no subscribers: they have to opt in."
            yield Advice(cause=Cause.EMPTY_LIST, text=text)
        case AudienceType.SEGMENT if not series.audience_filters:
            yield Advice(cause=Cause.NO_FILTER, text="Add at least one filter under Audience.")


def _on_filter(each: FilterCounts, counts: Counts) -> Iterator[Advice]:
    if counts.eligible == 0:
        return
    target, field = each.filter.target, each.filter.field
    missing_of = f"{each.missing} of {_contacts(counts.eligible)}"

    def advice(cause: Cause, text: str) -> Advice:
        return Advice(cause=cause, field=field, contacts=each.missing, text=text)

    if target.entity is Entity.STRIPE and not each.passes_alone:
        yield advice(
            Cause.EMPTY_STRIPE_SET,
            f"No contact passes {described(each.filter)}: Stripe has told nothing of {missing_of}. "
            "Check that Stripe is connected and synced, and the value that the filter wants.",
        )
    elif target.entity is Entity.COMPANY and not each.passes_alone:
        yield advice(
            Cause.EMPTY_COMPANY_SET,
            f"No contact passes {described(each.filter)}: {missing_of} belong to no company that "
            f"has a value.{_send(target)}",
        )
    elif target.attribute == "signed_up_at" and not target.custom and each.missing:
        yield advice(
            Cause.SIGNED_UP_AT_EMPTY,
            f"{field} is empty for {missing_of}, and a filter on it never falls back to "
            f"created_at.{_send(target)}",
        )
    elif each.missing == counts.eligible:
        text = f"No contact has a value for {field} that this filter could compare.{_send(target)}"
        yield advice(Cause.FIELD_NEVER_SENT, text)
    elif each.missing:
        text = f"{field} has no value that this filter could compare for {missing_of}."
        yield advice(Cause.FIELD_OFTEN_MISSING, f"{text}{_send(target)}")
    elif not each.passes_alone:
        yield advice(
            Cause.NOBODY_PASSES,
            f"Every contact has a value for {field}, but none passes {described(each.filter)}: "
            "compare the value with what is stored; upper and lower case differ.",
        )
    if each.missing:
        yield from _look_alikes(each)


def _look_alikes(each: FilterCounts) -> Iterator[Advice]:
    for other, having in each.look_alikes:
        if having:
            yield Advice(
                cause=Cause.LOOK_ALIKE_FIELD,
                field=other.name,
                contacts=having,
                text=f"{other.name} has a value for {_contacts(having)}, but is another field: a "
                f"filter on {each.filter.field} does not read it.",
            )


def _send(target: Field) -> str:
    """Return how to have a value sent and backfilled, for a field whose value an app sends."""
    if target.leads_only:
        return " Only leads have a value for it."
    if not target.custom and target.attribute not in TRAIT_COLUMNS:
        return ""
    if target.entity is Entity.COMPANY:
        return f" Pass {shown(target.attribute)} in the traits of every identify of a company."
    return f" Pass {shown(target.attribute)} in the traits of every identify. {_BACKFILL}"


def _never_together(counts: Counts) -> bool:
    """Return whether nobody matches though each filter of some group passes somebody."""
    groups = groupby(counts.filters, key=lambda each: each.group)
    return counts.matched == 0 and any(
        all(each.passes_alone for each in group) for _, group in groups
    )


def _contacts(number: int) -> str:
    return "1 contact" if number == 1 else f"{number} contacts"
