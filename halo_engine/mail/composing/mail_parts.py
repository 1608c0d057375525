"""What stands in a mail beside its words: subject, preview, footer, links (contract §9, §15)."""

from dataclasses import dataclass

from halo_engine.domain.reasons import SeriesKind
from halo_engine.domain.series.definition import Series
from halo_engine.mail.composing.links import MailLinks
from halo_engine.mail.transports.transports import PermanentFailure
from halo_engine.work import Organization


@dataclass(frozen=True, slots=True)
class Footer:
    """An organisation's footer, and whether the mail must carry it and an unsubscribe link."""

    text: str
    is_marketing: bool

    @classmethod
    def of(cls, series: Series, org: Organization) -> "Footer":
        """Return the footer of a series' emails (contract §9).

        Raises PermanentFailure for marketing if the organisation has none.
        """
        is_marketing = series.kind is SeriesKind.MARKETING
        if is_marketing and not org.company_footer:
            raise PermanentFailure("Marketing emails require a company footer.")
        return cls(org.company_footer or "", is_marketing)


@dataclass(frozen=True, slots=True)
class MailParts:
    """The parts of one mail; ``subject`` and ``preview`` with their values."""

    subject: str
    preview: str
    footer: str
    is_marketing: bool
    links: MailLinks
