"""Advice about one filter of an audience: plain rules over counts and stored values (§10).

Advice never leads in a circle. A near value is named only if nobody passes now and somebody would
pass with it. Another field is named only if more contacts would pass with it, or as many would pass
and more have a value.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from halo_engine.answers.diagnose.causes import Advice, Cause
from halo_engine.answers.diagnose.counts import FilterCounts, LookAlike
from halo_engine.answers.diagnose.seen_values import SeenValues
from halo_engine.answers.reports.stored import StoredValue
from halo_engine.contacts.writing.sources import TRAIT_COLUMNS
from halo_engine.domain.errors import shown
from halo_engine.domain.fields.catalogue import Entity, Field, FieldType
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.fields.operators import Operator
from halo_engine.domain.nearness import near
from halo_engine.domain.phrases import KINDS, counted_contacts, described, kind_of, listed

#: How many of the most frequent values are named.
_MOST_NAMED: Final = 5
_BACKFILL: Final = (
    "For contacts that exist already, backfill it with the Update / Backfill API or a CSV import; "
    "do not loop identify, which bumps everybody's last_seen."
)
#: Operators whose value may be misspelt: near values are looked for.
_WANTS_A_VALUE: Final = (Operator.IS, Operator.CONTAINS)
#: Operators that compare by size: the span of the stored values helps.
_COMPARES_SIZE: Final = (
    *(Operator.GT, Operator.LT, Operator.GTE, Operator.LTE),
    *(Operator.BEFORE, Operator.AFTER),
)


@dataclass(frozen=True, slots=True)
class FilterFacts:
    """One filter's counts among ``eligible`` contacts.

    ``seen`` are stored values, read only if the filter passes nobody; ``events`` are the names of
    events that ever fired.
    """

    counts: FilterCounts
    eligible: int
    seen: SeenValues
    events: Sequence[str]


def advise_on_filter(facts: FilterFacts) -> Iterator[Advice]:
    """Yield advice for each cause that is present in one filter."""
    counts = facts.counts
    target = counts.filter.target
    if target.entity is Entity.EVENT:
        yield from _on_event(facts)
        return
    wants_none = counts.filter.operator is Operator.IS_EMPTY
    if not wants_none:
        yield from _on_absence(facts)
    if counts.other_type:
        yield _on_other_type(facts)
    says_values = target.entity is Entity.STRIPE and not wants_none
    if not counts.passes_alone and counts.missing < facts.eligible and not says_values:
        yield _on_values(facts)
    for other in () if wants_none else counts.look_alikes:
        if leads_further(counts, other, facts.eligible):
            yield _on_look_alike(counts.filter, other)


def leads_further(counts: FilterCounts, other: LookAlike, eligible: int) -> bool:
    """Return whether the filter would do better on the field ``other``.

    The order is strict, so two fields cannot each be better than the other.
    """
    here = (counts.passes_alone, eligible - counts.absent, counts.filter.target.key)
    return bool(other.having) and (other.passes, other.having, other.field.key) > here


def _on_absence(facts: FilterFacts) -> Iterator[Advice]:
    counts = facts.counts
    item, target = counts.filter, counts.filter.target
    field = item.field
    absent_of = f"{counts.absent} of {counted_contacts(facts.eligible)}"

    def advice(cause: Cause, text: str) -> Advice:
        return Advice(cause=cause, field=field, contacts=counts.absent, text=text)

    if target.entity is Entity.STRIPE and not counts.passes_alone:
        yield _on_stripe(facts, absent_of)
    elif not counts.absent:
        return
    elif target.entity is Entity.COMPANY and not counts.passes_alone:
        yield advice(
            Cause.EMPTY_COMPANY_SET,
            f"No contact passes {described(item)}: {absent_of} belong to no company that has a "
            f"value.{_send(target)}",
        )
    elif target.attribute == "signed_up_at" and not target.custom:
        yield advice(
            Cause.SIGNED_UP_AT_EMPTY,
            f"{field} is empty for {absent_of}, and a filter on it never falls back to "
            f"created_at.{_send(target)}",
        )
    elif counts.absent == facts.eligible:
        yield advice(Cause.FIELD_NEVER_SENT, f"No contact has a value for {field}.{_send(target)}")
    else:
        text = f"{field} has no value for {absent_of}.{_send(target)}"
        yield advice(Cause.FIELD_OFTEN_MISSING, text)


def _on_stripe(facts: FilterFacts, absent_of: str) -> Advice:
    """Advise on an empty Stripe set; the stored values are named in the same text."""
    item, values = facts.counts.filter, _all(facts.seen)
    nearest = _near(item, [each.value for each in values])
    text = (
        f"No contact passes {described(item)}: Stripe has told nothing of {absent_of}. "
        "Check that Stripe is connected and synced, and the value that the filter wants."
        f"{_seen_are(values[:_MOST_NAMED])}"
    )
    return Advice(
        cause=Cause.EMPTY_STRIPE_SET,
        field=item.field,
        contacts=facts.counts.absent,
        values=tuple(values[:_MOST_NAMED]),
        near=tuple(nearest),
        text=f"{text} Did you mean {listed(nearest)}?" if nearest else text,
    )


def _on_other_type(facts: FilterFacts) -> Advice:
    """Advise on values of another type, most often numbers stored as text."""
    counts, item = facts.counts, facts.counts.filter
    wrong = [each for each in _all(facts.seen) if not _can_compare(item, each.value)]
    values = wrong[:_MOST_NAMED]
    nearest = () if counts.passes_alone else _near(item, [each.value for each in wrong])
    text = (
        f"For {counted_contacts(counts.other_type)} {item.field} is stored, but not as "
        f"{KINDS[item.type or FieldType.STRING]}, which {described(item)} compares."
        f"{_seen_are(values)}"
    )
    if nearest:
        text += f" Did you mean {listed(nearest)}?"
    if item.type is FieldType.NUMBER:
        text += ' Send numbers without quotes (12, not "12").'
    elif item.type is FieldType.DATE:
        text += " Send dates as ISO 8601 (2026-05-27)."
    return Advice(
        cause=Cause.OTHER_TYPE,
        field=item.field,
        contacts=counts.other_type,
        values=tuple(values),
        near=tuple(nearest),
        text=text,
    )


def _on_values(facts: FilterFacts) -> Advice:
    """Name stored values; no value passes the filter."""
    item = facts.counts.filter
    right = [each for each in _all(facts.seen) if _can_compare(item, each.value)]
    values, nearest = right[:_MOST_NAMED], _near(item, [each.value for each in right])
    text = f"No contact passes {described(item)}.{_seen_are(values)}"
    if nearest:
        text += f" Did you mean {listed(nearest)}? Upper and lower case, spaces and signs count."
    elif item.operator in _COMPARES_SIZE and right:
        ordered = sorted((each.value for each in right), key=_in_order)
        text += f" They lie between {shown(ordered[0])} and {shown(ordered[-1])}."
    return Advice(
        cause=Cause.NOBODY_PASSES,
        field=item.field,
        contacts=0,
        values=tuple(values),
        near=tuple(nearest),
        text=text,
    )


def _on_event(facts: FilterFacts) -> Iterator[Advice]:
    """Advise on an event that never fired; name events with similar names."""
    item, name = facts.counts.filter, facts.counts.filter.target.attribute
    if facts.counts.passes_alone or name in facts.events:
        return
    nearest = near(name, facts.events)
    text = f"No contact passes {described(item)}: the event {shown(name)} never fired."
    if nearest:
        text += f" Did you mean {listed(nearest)}?"
    elif facts.events:
        text += f" Those that did: {listed(facts.events[:_MOST_NAMED])}."
    yield Advice(
        cause=Cause.EVENT_NEVER_FIRED,
        field=item.field,
        contacts=0,
        near=tuple(f"event:{each}" for each in nearest),
        text=text,
    )


def _on_look_alike(item: Filter, other: LookAlike) -> Advice:
    text = (
        f"{other.field.name} has a value for {counted_contacts(other.having)}, but is another "
        f"field: a filter on {item.field} does not read it."
    )
    if other.passes:
        text += f" With it, this filter would pass {counted_contacts(other.passes)}."
    return Advice(
        cause=Cause.LOOK_ALIKE_FIELD, field=other.field.name, contacts=other.having, text=text
    )


def _all(seen: SeenValues) -> list[StoredValue]:
    return [StoredValue(value=value, contacts=contacts) for value, contacts in seen.counted]


def _near(item: Filter, values: Sequence[JsonValue]) -> Sequence[JsonValue]:
    return near(item.value, values) if item.operator in _WANTS_A_VALUE else ()


def _can_compare(item: Filter, value: JsonValue) -> bool:
    """Return whether the filter can compare a stored value; a date is stored as text."""
    compared = FieldType.STRING if item.type is FieldType.DATE else item.type
    return compared is None or kind_of(value) is compared


def _in_order(value: object) -> tuple[bool, float, str]:
    is_number = isinstance(value, int | float)
    return not is_number, float(value) if isinstance(value, int | float) else 0, str(value)


def _seen_are(values: Sequence[StoredValue]) -> str:
    if not values:
        return ""
    named = ", ".join(f"{shown(each.value)} ({each.contacts})" for each in values)
    return f" Seen most: {named}."


def _send(target: Field) -> str:
    """Return how to send and backfill the field; empty if applications do not send it."""
    if target.leads_only:
        return " Only leads have a value for it."
    if not target.custom and target.attribute not in TRAIT_COLUMNS:
        return ""
    if target.entity is Entity.COMPANY:
        return f" Pass {shown(target.attribute)} in the traits of every identify of a company."
    return f" Pass {shown(target.attribute)} in the traits of every identify. {_BACKFILL}"
