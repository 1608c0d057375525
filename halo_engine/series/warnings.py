"""Warnings about series that can be activated but will not do what their author wants (§6, §7, §8).

Each check is a function that takes a series and its surroundings, and yields warnings. To add one,
write it below and list it in ``CHECKS``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

from halo_engine.domain.errors import shown
from halo_engine.domain.fields import Entity
from halo_engine.domain.lookalikes import look_alikes
from halo_engine.domain.nearness import near
from halo_engine.domain.reasons import AudienceType, ConditionType, ExitReason, SeriesKind
from halo_engine.series.surroundings import (
    Surroundings,
    Written,
    named_events,
    named_fields,
    texts_of,
)

_MOST_NAMED: Final = 5


class SeriesWarning(BaseModel):
    """One warning: a stable ``code``, the ``place`` in the series, what is so and what to do."""

    model_config = ConfigDict(frozen=True)

    code: str
    place: str
    message: str


Check = Callable[[Written, Surroundings], Iterator[SeriesWarning]]


def warnings_about(series: Written, around: Surroundings) -> Iterator[SeriesWarning]:
    """Yield every warning about a series, saved or being written."""
    for check in CHECKS:
        yield from check(series, around)


def _goal_without_filter(series: Written, _around: Surroundings) -> Iterator[SeriesWarning]:
    if series.settings.goal_enabled and not series.settings.goal_filters:
        message = "The goal is switched on, but no goal filter is set: nothing will convert."
        yield SeriesWarning(
            code="goal_without_filter", place="settings.goal_filters", message=message
        )


def _exit_rule_never_fires(series: Written, _around: Surroundings) -> Iterator[SeriesWarning]:
    settings, audience = series.settings, series.audience_type
    lacking = {
        ExitReason.FILTER_MATCH: (not settings.exit_filters, "no exit filter is set"),
        ExitReason.EVENT: (not settings.exit_event_name, "no exit event is named"),
        ExitReason.SEGMENT_LEAVE: (
            audience is not AudienceType.SEGMENT,
            "the audience has no filter",
        ),
        ExitReason.UNSUBSCRIBED: (
            audience is not AudienceType.SUBSCRIPTION,
            "the audience is no list",
        ),
    }
    for rule, (is_lacking, what) in lacking.items():
        if rule in settings.exit_rules and is_lacking:
            yield SeriesWarning(
                code="exit_rule_never_fires",
                place="settings.exit_rules",
                message=f"Exit rule ‘{rule}’ is on, but {what}: it never fires.",
            )


def _unknown_event(series: Written, around: Surroundings) -> Iterator[SeriesWarning]:
    """Warn of an event that never fired, wherever it is named."""
    counted = [each for each in named_fields(series) if each.field.entity is Entity.EVENT]
    for each in (*named_events(series), *counted):
        name = each.field.attribute
        if name not in around.events and not ("." in name and each in counted):
            yield SeriesWarning(
                code="unknown_event",
                place=each.place,
                message=f"The event {shown(name)} has never fired.{_events_instead(name, around)} "
                "`halo events` lists those that did.",
            )


def _event_property(series: Written, around: Surroundings) -> Iterator[SeriesWarning]:
    """Warn of ``event:NAME.property``, which counts events of that whole name."""
    for each in named_fields(series):
        name = each.field.attribute
        event, dot, _ = name.rpartition(".")
        if each.field.entity is not Entity.EVENT or not dot or name in around.events:
            continue
        known = f" ‘event:{event}’ counts how often {shown(event)} fired."
        yield SeriesWarning(
            code="event_property",
            place=each.place,
            message=f"‘event:{name}’ counts events of the whole name {shown(name)}, and none "
            "fired: it reads no property."
            f"{known if event in around.events else _events_instead(name, around)}",
        )


def _events_instead(name: str, around: Surroundings) -> str:
    if nearest := near(name, around.events):
        return f" Did you mean {_listed(nearest)}?"
    if not around.events:
        return " No event has fired yet: send it with `track`, or test with `halo track`."
    return f" Those that fire most: {_listed(around.events[:_MOST_NAMED])}."


def _unknown_field(series: Written, around: Surroundings) -> Iterator[SeriesWarning]:
    """Warn of a custom field that no contact or company ever had."""
    known = {each.key for each in around.fields}
    for each in named_fields(series):
        if not each.field.custom or each.field.key in known:
            continue
        alike = [other.name for other in look_alikes(each.field, around.fields)]
        hint = f" Did you mean {_listed(alike)}?" if alike else " `halo fields` lists those seen."
        yield SeriesWarning(
            code="unknown_field",
            place=each.place,
            message=f"The field {each.field.name} has never been sent: it is missing for "
            f"everybody.{hint}",
        )


def _gate_before_email(series: Written, _around: Surroundings) -> Iterator[SeriesWarning]:
    sends = False
    for step in series.steps:
        sends = sends or step.email is not None
        if _reads_mail(step.condition) and not sends:
            yield SeriesWarning(
                code="gate_before_email",
                place=f"steps.{step.key}.condition",
                message="No email is sent before this gate: it lets nobody pass. Put it after an "
                "email.",
            )


def _untracked(series: Written, around: Surroundings) -> Iterator[SeriesWarning]:
    if around.tracks_opens is not False:
        return
    for step in series.steps:
        if _reads_mail(step.condition):
            yield SeriesWarning(
                code="mail_not_tracked",
                place=f"steps.{step.key}.condition",
                message="Opens and clicks are not tracked here (HALO_TRACKING_URL is not set): "
                "unless your mail gateway calls `halo.mail.opened` and `halo.mail.clicked`, this "
                "gate lets nobody pass.",
            )


def _empty_body(series: Written, _around: Surroundings) -> Iterator[SeriesWarning]:
    for step in series.steps:
        if step.email and not step.email.body.strip():
            yield SeriesWarning(
                code="empty_body",
                place=f"steps.{step.key}.email.body",
                message="The email has no text. Write one, or take the step out.",
            )


def _reenroll_delay_unused(series: Written, _around: Surroundings) -> Iterator[SeriesWarning]:
    settings = series.settings
    if settings.reenroll_delay_days is not None and not settings.reenroll_enabled:
        yield SeriesWarning(
            code="reenroll_delay_unused",
            place="settings.reenroll_delay_days",
            message="Re-enrollment is off, so its delay does nothing. Set reenroll_enabled: true, "
            "or leave the delay out.",
        )


def _marketing_words(series: Written, _around: Surroundings) -> Iterator[SeriesWarning]:
    if series.kind is SeriesKind.MARKETING:
        return
    for step in series.steps:
        for name, text in texts_of(step):
            if found := _MARKETING.search(text):
                yield SeriesWarning(
                    code="marketing_in_transactional",
                    place=f"steps.{step.key}.email.{name}",
                    message=f"{shown(found[0])} is a word of marketing mail, but the series is "
                    "transactional: it carries neither footer nor unsubscribe link. Set kind: "
                    "marketing, which adds both.",
                )


def _foreign_template(series: Written, _around: Surroundings) -> Iterator[SeriesWarning]:
    for step in series.steps:
        for name, text in texts_of(step):
            for pattern, whose in _FOREIGN:
                if found := pattern.search(text):
                    yield SeriesWarning(
                        code="foreign_template",
                        place=f"steps.{step.key}.email.{name}",
                        message=f"{shown(found[0])} is {whose}, which is sent as it stands. "
                        "Merge fields are written {{ name|there }}.",
                    )


def _reads_mail(condition: object) -> bool:
    kind = getattr(condition, "type", None)
    return kind in (ConditionType.EMAIL_OPENED, ConditionType.LINK_CLICKED)


def _listed(names: Sequence[str]) -> str:
    *others, last = map(shown, names)
    return f"{', '.join(others)} or {last}" if others else last


#: Words of marketing mail; transactional mail has no unsubscribe link.
_MARKETING: Final = re.compile(
    r"\bunsubscrib\w*|\bopt[ -]?out\b|\bmanage (?:your )?preferences\b|\bemail preferences\b"
    r"|\bview (?:this email )?in (?:your )?browser\b|\babmelden\b|\babbestellen\b"
    r"|\bse désabonner\b|\bdarse de baja\b",
    re.IGNORECASE,
)

#: Template tags of other systems; the first one in each text is named.
_FOREIGN: Final = (
    (re.compile(r"\{%.*?%\}", re.DOTALL), "a tag of Liquid or Jinja"),
    (re.compile(r"\*\|[A-Z0-9_:]+\|\*", re.IGNORECASE), "a merge tag of Mailchimp"),
    (re.compile(r"%recipient(?:\.\w+)?%"), "a recipient variable of Mailgun"),
    (re.compile(r"%%[\w.]+%%"), "a personalisation string of Salesforce"),
    (re.compile(r"<%=?.*?%>", re.DOTALL), "a tag of ERB or EJS"),
    (re.compile(r"\$\{[\w.]+\}"), "a placeholder of a programming language"),
    (
        re.compile(r"(?<![\w%])%[A-Z][A-Z_]{2,}%(?![\w%])"),
        "a personalisation tag of ActiveCampaign",
    ),
)

#: Every check, in the order in which warnings are shown.
CHECKS: Final[tuple[Check, ...]] = (
    _goal_without_filter,
    _exit_rule_never_fires,
    _unknown_event,
    _event_property,
    _unknown_field,
    _gate_before_email,
    _untracked,
    _empty_body,
    _reenroll_delay_unused,
    _marketing_words,
    _foreign_template,
)
