"""This installation's mail: it goes to the server that HALO_SMTP_URL names, or into a folder."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.exc import DBAPIError

from halo_engine.database import create_engine, problem_of
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.sending.throttle import TURN_SECONDS, Throttle
from halo_engine.mail.transports.recording import Sent, recording
from halo_engine.mail.transports.smtp import SmtpTransport
from halo_engine.mail.transports.smtp_url import parse_smtp_url
from halo_engine.mail.transports.transports import FolderTransport, ServerDown, Transport
from halo_engine.pipeline.due import PostOffice
from halo_engine.restoring.check import is_behind
from halo_engine.settings import Settings

from .tracing.spans import tracer


def post_office(settings: Settings) -> PostOffice:
    """Return the post office that the settings name.

    A turn of sending, with its last message, stays within the task's soft limit.
    """
    sender = Sender(
        settings.mail_from_name,
        settings.mail_from_address,
        settings.link_bases,
        settings.bounce_domain,
    )
    throttle = Throttle(
        per_second=settings.mail_per_second,
        turn_seconds=min(TURN_SECONDS, settings.soft_limit_seconds / 4),
    )
    transport: Transport = smtp_transport(settings) or FolderTransport(settings.mail_folder)
    if settings.sent_log is not None:
        transport = recording(transport, settings.sent_log, partial(_is_behind, settings))
    if (tracing := tracer()) is not None:
        transport = tracing.mailing(transport)
    return PostOffice(transport, sender, throttle, settings.lease_seconds, settings.reach)


def _is_behind(settings: Settings, last: Sequence[Sent]) -> bool:
    """Return whether the database knows less than the file of sent mails."""
    database = create_engine(settings.required_database_url(), pool_size=1)
    try:
        with database.connect() as connection:
            return is_behind(connection, last, datetime.now(UTC))
    except DBAPIError as error:
        raise ServerDown(f"the database does not answer: {problem_of(error)}") from error
    finally:
        database.dispose()


def smtp_transport(settings: Settings) -> SmtpTransport | None:
    """Return the transport to the server that HALO_SMTP_URL names; None when it is not set."""
    if settings.smtp_url is None:
        return None
    within = settings.soft_limit_seconds / 2
    return SmtpTransport(parse_smtp_url(settings.smtp_url), within_seconds=within)
