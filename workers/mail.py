"""Where this installation's mail goes: the server that HALO_SMTP_URL names, or else a folder."""

from halo_engine.delivery.gate import TURN_SECONDS, Gate
from halo_engine.delivery.links import LinkBases
from halo_engine.delivery.message import Sender
from halo_engine.delivery.smtp import SmtpTransport
from halo_engine.delivery.smtp_url import parse_smtp_url
from halo_engine.delivery.transports import FolderTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.settings import Settings


def post_office(settings: Settings) -> PostOffice:
    """Return the post office that the settings name.

    A turn of sending and the message that it ends with keep within the task's soft limit.
    """
    bases = LinkBases(settings.unsubscribe_url, settings.tracking_url)
    sender = Sender(
        settings.mail_from_name, settings.mail_from_address, bases, settings.bounce_domain
    )
    gate = Gate(
        per_second=settings.mail_per_second,
        turn_seconds=min(TURN_SECONDS, settings.soft_limit_seconds / 4),
    )
    transport = smtp_transport(settings) or FolderTransport(settings.mail_folder)
    return PostOffice(transport, sender, gate, settings.lease_seconds)


def smtp_transport(settings: Settings) -> SmtpTransport | None:
    """Return the way to the server that HALO_SMTP_URL names; None when it is not set."""
    if settings.smtp_url is None:
        return None
    within = settings.soft_limit_seconds / 2
    return SmtpTransport(parse_smtp_url(settings.smtp_url), within_seconds=within)
