"""The email that a step sends, as it is written and checked (contract §9, §15)."""

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import Field

from halo_engine.domain.errors import Fault, Refusal, bad_input, several, shown
from halo_engine.domain.fields.addresses import is_address
from halo_engine.domain.fields.if_blocks import IsSet, questions_of
from halo_engine.domain.fields.merge_fields import MergeField, fields_of, mail_parts_of
from halo_engine.domain.html_mail.page import HtmlPage
from halo_engine.domain.html_mail.read_once import read_page
from halo_engine.domain.series.settings import Definition
from halo_engine.domain.values import check_text

LONGEST_LINE: Final = 998
_LONGEST_TEXT: Final = 500_000
_MOST_HEADERS: Final = 20
_OWN_HEADER: Final = re.compile(r"[Xx]-[A-Za-z0-9-]{1,70}")
#: The texts in which the parts of a mail can stand.
_HOLDS_PARTS: Final = frozenset({"body", "html"})


class Email(Definition):
    """The email that a step sends; merge fields are allowed in every text (contract §9, §15)."""

    subject: str = Field(
        min_length=1, max_length=LONGEST_LINE, description="The subject; merge fields are allowed."
    )
    body: str | None = Field(
        default=None,
        description="The text; merge fields are allowed, an empty line separates paragraphs. Left "
        "out, it is made from `html`.",
    )
    html: str | None = Field(
        default=None,
        description="The HTML part; left out, it is made from `body`.",
    )
    preview: str | None = Field(
        default=None,
        max_length=LONGEST_LINE,
        description="What mailboxes show beside the subject; hidden in the mail.",
    )
    from_name: str | None = Field(
        default=None,
        max_length=LONGEST_LINE,
        description="The sender's name, instead of the organisation's.",
    )
    reply_to: str | None = Field(
        default=None,
        max_length=LONGEST_LINE,
        description="The address that replies go to, instead of the organisation's.",
    )
    headers: dict[str, str] = Field(
        default={},
        max_length=_MOST_HEADERS,
        description="Further headers; their names begin with X-.",
    )

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield every text that is set, by its path below the email."""
        for name in ("subject", "body", "html", "preview", "from_name", "reply_to"):
            if (text := getattr(self, name)) is not None:
                yield name, text
        yield from ((f"headers.{name}", text) for name, text in self.headers.items())

    @property
    def page(self) -> HtmlPage | None:
        """The HTML part as it was read; None if it is made from the body."""
        return None if self.html is None else read_page(self.html)

    @property
    def text(self) -> str:
        """The template of the text part."""
        if self.body is not None:
            return self.body
        assert self.page is not None
        return self.page.text

    def asks(self) -> frozenset[MergeField | IsSet]:
        """Return the values that the texts name; raises a 400 if a text cannot be read."""
        return frozenset().union(*(asked_in(name, text) for name, text in self.texts()))

    def as_stored(self) -> dict[str, Any]:
        """Return it as JSON-ready data, without the keys that are not set."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong with it; a stored one is not checked again when it is read."""
        yield from self._faults_of_texts()
        yield from self._faults_of_headers()
        yield from self._faults_of_reply()
        if self.body is None and self.html is None:
            yield Fault(("body",), "is missing; allowed are body, html or both", "missing_key")

    def _faults_of_texts(self) -> Iterator[Fault]:
        for name, text in self.texts():
            path = tuple(name.split(".", 1))
            try:
                if len(text) > _LONGEST_TEXT:
                    raise bad_input("text", f"is too long; allowed are {_LONGEST_TEXT} characters")
                check_text(text, "text")
                asked_in(name, text)
                if name not in _HOLDS_PARTS and (parts := mail_parts_of(text)):
                    problem = f"{shown(min(parts))} stands here; allowed is in body and html"
                    raise bad_input("text", problem, "bad_merge_field")
            except Refusal as refusal:
                _, _, problem = refusal.message.partition(": ")
                yield Fault(path, problem, refusal.code)

    def _faults_of_headers(self) -> Iterator[Fault]:
        lower = [name.lower() for name in self.headers]
        for name, text in self.headers.items():
            if not _OWN_HEADER.fullmatch(name):
                problem = "is no header of your own; allowed are names such as X-Campaign"
                yield Fault(("headers", name), problem, "bad_mail_header")
            elif lower.count(name.lower()) > 1:
                problem = "is there twice, in other capitals; allowed is once"
                yield Fault(("headers", name), problem, "bad_mail_header")
            elif len(text) > LONGEST_LINE:
                problem = f"is too long; allowed are {LONGEST_LINE} characters"
                yield Fault(("headers", name), problem, "bad_mail_header")

    def _faults_of_reply(self) -> Iterator[Fault]:
        written = self.reply_to
        if written is not None and "{" not in written and not is_address(written):
            problem = f"{shown(written)} is no address; allowed is one such as help@acme.com"
            yield Fault(("reply_to",), problem, "bad_email")


def check_email(email: Email | None) -> Email | None:
    """Return an email that can be saved; raises Pydantic's error for any other."""
    if email is not None and (faults := list(email.faults())):
        raise several("email", faults)
    return email


def asked_in(name: str, text: str) -> frozenset[MergeField | IsSet]:
    """Return the values that one text of an email names; raises a 400 if it cannot be read."""
    if name == "html":
        return read_page(text).asks
    return fields_of(text) | questions_of(text)
