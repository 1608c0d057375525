"""The two parts of an email, a text and an HTML page with the same content (contract §9, §15).

A link is an http or https URL whose scheme and host the *template* spells out; merge fields may
come after the host. So what a contact wrote into a name never becomes a link of ours, and never
decides where a tracked click leads.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from halo_engine.domain.fields.if_blocks import shown_part
from halo_engine.domain.fields.merge_fields import (
    FOOTER,
    UNSUBSCRIBE_URL,
    mail_parts_of,
)
from halo_engine.domain.series.email import Email
from halo_engine.mail.composing.html_page import page_of_html
from halo_engine.mail.composing.mail_parts import MailParts
from halo_engine.mail.composing.page import page_of_text
from halo_engine.mail.composing.quoted_printable import encoded
from halo_engine.mail.composing.text_part import text_part
from halo_engine.mail.composing.text_pieces import UrlValues, pieces_of


@dataclass(frozen=True, slots=True)
class Body:
    """The two parts of a mail, with the same content, as quoted-printable text."""

    text: bytes
    page: bytes


def write_body(email: Email, values: Mapping[str, str], parts: MailParts) -> Body:
    """Return a body with its merge fields filled (contract §9).

    Footer and unsubscribe link stand where the author put them, else at the end of marketing.
    Values in URLs are percent-encoded. Links are tracked only on the page; in the text they stay
    readable. Raises a 400 if a text cannot be read.
    """
    template = shown_part(email.text, values)
    placed = mail_parts_of(template)
    end = _end_of_text(placed, parts)
    in_text = dict(values)
    if FOOTER in placed:
        in_text[FOOTER] = parts.footer
    if UNSUBSCRIBE_URL in placed:
        in_text[UNSUBSCRIBE_URL] = parts.links.unsubscribe
    if email.html is not None:
        in_urls = UrlValues(in_text)
        return Body(
            text_part(template, in_text, in_urls, end, tidy=email.body is None),
            page_of_html(email.html, values, in_urls, parts),
        )
    pieces = pieces_of(template, in_text)
    text = "".join(piece.text for piece in pieces)
    return Body(
        encoded(text.rstrip() + end if end else text), encoded(page_of_text(pieces, placed, parts))
    )


def _end_of_text(placed: frozenset[str], parts: MailParts) -> str:
    """Return what marketing must carry and its author did not place; blank if there is nothing."""
    below = []
    if parts.is_marketing and FOOTER not in placed:
        below.append(parts.footer)
    if parts.is_marketing and UNSUBSCRIBE_URL not in placed:
        below.append(f"Unsubscribe: {parts.links.unsubscribe}")
    return "".join(f"\n\n{each}" for each in below) + "\n" if below else ""
