"""Warnings about the emails of a series: their texts and their HTML (contract §8, §15)."""

import re
from collections.abc import Iterator
from typing import Final

from halo_engine.domain.errors import shown
from halo_engine.domain.fields.merge_fields import MERGE_FIELD
from halo_engine.domain.html_mail.page import LONGEST_SHOWN
from halo_engine.domain.html_mail.read_once import read_page
from halo_engine.domain.reasons import SeriesKind
from halo_engine.series.checking.checks import Check, SeriesFinding
from halo_engine.series.checking.surroundings import AnySeries, Surroundings, WrittenStep, texts_of


def _empty_body(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    for step in series.steps:
        if step.email and not step.email.text.strip():
            yield SeriesFinding(
                place=f"steps.{step.key}.email.body",
                message="The email has no text. Write one, or take the step out.",
            )


def _marketing_words(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    if series.kind is SeriesKind.MARKETING:
        return
    for step in series.steps:
        for name, text in _words_of(step):
            if found := _MARKETING.search(MERGE_FIELD.sub("", text)):
                yield SeriesFinding(
                    place=f"steps.{step.key}.email.{name}",
                    message=f"{shown(found[0])} is a word of marketing mail, but the series is "
                    "transactional: it carries neither footer nor unsubscribe link. Set kind: "
                    "marketing, which adds both.",
                )


def _words_of(step: WrittenStep) -> Iterator[tuple[str, str]]:
    """Yield the texts of a step's email as people read them: of HTML its text alone."""
    for name, text in texts_of(step):
        yield name, read_page(text).text if name == "html" else text


def _not_loaded(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    for step in series.steps:
        page = step.email.page if step.email else None
        for what in dict.fromkeys(page.taken_out if page else ()):
            yield SeriesFinding(
                place=f"steps.{step.key}.email.html",
                message=f"{what} was left out: mail loads no styles from elsewhere. Put them into "
                "<style>.",
            )


def _clipped(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    for step in series.steps:
        html = step.email.html if step.email else None
        if html is not None and len(html.encode()) > LONGEST_SHOWN:
            yield SeriesFinding(
                place=f"steps.{step.key}.email.html",
                message=f"Gmail shows only the first {LONGEST_SHOWN // 1024} KB of a mail, and "
                "hides what stands below, the unsubscribe link too.",
            )


def _foreign_template(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    for step in series.steps:
        for name, text in texts_of(step):
            for pattern, whose in _FOREIGN:
                if found := pattern.search(text):
                    yield SeriesFinding(
                        place=f"steps.{step.key}.email.{name}",
                        message=f"{shown(found[0])} is {whose}, which is sent as it stands. "
                        "Merge fields are written {{ name|there }}.",
                    )


#: Words of marketing mail; transactional mail has no unsubscribe link.
_MARKETING: Final = re.compile(
    r"\bunsubscrib\w*|\bopt[ -]?out\b|\bmanage (?:your )?preferences\b|\bemail preferences\b"
    r"|\bview (?:this email )?in (?:your )?browser\b|\babmelden\b|\babbestellen\b"
    r"|\bse désabonner\b|\bdarse de baja\b",
    re.IGNORECASE,
)

#: Template tags of other systems; the first one in each text is named.
_FOREIGN: Final = (
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

EMPTY_BODY: Final = Check("empty_body", "an email without text", _empty_body)

#: The checks of what the texts say, in the order in which their warnings are shown.
TEXT_CHECKS: Final = (
    Check(
        "marketing_in_transactional",
        "“unsubscribe” and the like in a transactional series, which has no such link",
        _marketing_words,
    ),
    Check(
        "foreign_template",
        "another system's template tags: `*|FNAME|*`, `%recipient.name%`, …",
        _foreign_template,
    ),
    Check(
        "not_loaded",
        "HTML that links or imports styles from elsewhere, which mail does not load",
        _not_loaded,
    ),
    Check("clipped", "HTML that is longer than Gmail shows", _clipped),
)
