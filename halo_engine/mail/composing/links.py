"""The links of a mail: to unsubscribe, and to track opens and clicks (§9)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from halo_engine.domain.mail_tokens import LONGEST_URL, Purpose, signed_token
from halo_engine.domain.series.definition import Series
from halo_engine.work import Organization

#: Placeholders at which no server answers; `halo doctor` reports the first.
NO_UNSUBSCRIBE_URL: Final = "https://halo.example/unsubscribe"
NO_CONFIRM_URL: Final = "https://halo.example/confirm"

_LONGEST_BASE: Final = 300
_LOCAL: Final = frozenset({"localhost", "127.0.0.1"})


def base_url(url: str) -> str:
    """Return ``url`` without a slash at its end; tokens are appended to it.

    Raises ValueError unless it is https (on localhost also http), in plain ASCII, without a query.
    """
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in _LOCAL
    if not (parts.hostname and (parts.scheme == "https" or is_local)):
        raise ValueError("is no https URL; write https://mail.acme.example/unsubscribe")
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(' <>"?#,')
    if not is_plain or len(url) > _LONGEST_BASE:
        raise ValueError(f"is no plain URL of at most {_LONGEST_BASE} characters, without a query")
    return url.rstrip("/")


@dataclass(frozen=True, slots=True)
class LinkBases:
    """The URLs at which the installation answers; without ``tracking`` links stay as they are."""

    unsubscribe: str = NO_UNSUBSCRIBE_URL
    tracking: str | None = None
    confirm: str = NO_CONFIRM_URL


def confirm_url(bases: LinkBases, org: Organization, confirmation_id: int) -> str:
    """Return the URL to confirm a list: a POST acts, a GET only asks."""
    token = signed_token(Purpose.CONFIRM, org.id, confirmation_id, b"", org.mail_key)
    return f"{bases.confirm}/{token}"


@dataclass(frozen=True)
class MailLinks:
    """The links of one mail, each with a token signed for its organisation.

    ``list_id`` is the list that unsubscribing leaves; None means all mail.
    """

    bases: LinkBases
    org_id: UUID
    key: bytes
    recipient_id: int
    list_id: UUID | None

    @classmethod
    def of(
        cls, bases: LinkBases, org: Organization, series: Series, recipient_id: int
    ) -> "MailLinks":
        """Return the links of a mail of ``series``; those of a list series leave the list."""
        return cls(bases, org.id, org.mail_key, recipient_id, series.list_id)

    @cached_property
    def unsubscribe(self) -> str:
        """The URL to unsubscribe: a POST acts, a GET only asks (RFC 8058)."""
        about = self.list_id.bytes if self.list_id else b""
        return f"{self.bases.unsubscribe}/{self._token(Purpose.UNSUBSCRIBE, about)}"

    @property
    def opened(self) -> str | None:
        """The URL of the picture that tracks opens; None if they are not tracked."""
        if self.bases.tracking is None:
            return None
        return f"{self.bases.tracking}/o/{self._token(Purpose.OPEN)}"

    def clicked(self, url: str) -> str:
        """Return the URL that tracks a click and redirects to ``url``, or ``url`` if untracked."""
        if self.bases.tracking is None or len(url) > LONGEST_URL:
            return url
        return f"{self.bases.tracking}/c/{self._token(Purpose.CLICK, url.encode())}"

    def _token(self, purpose: Purpose, about: bytes = b"") -> str:
        return signed_token(purpose, self.org_id, self.recipient_id, about, self.key)
