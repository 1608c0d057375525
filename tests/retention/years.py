"""What the tests of retention do: years pass, and what is old is deleted."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.doors.operators import ChangedOrganization, change_settings
from halo_engine.mail.incoming.links import FollowCall
from halo_engine.organizations.settings import ChangeOrganizationCall
from halo_engine.retention.sweeping import sweep_page
from halo_engine.tables import end_users, mail_readers
from halo_engine.work import Work
from tests.pipeline.sandbox import Sandbox

DAY = timedelta(days=1)


def keep(sandbox: Sandbox, **keeps: str) -> ChangedOrganization:
    """Say how long the organisation keeps histories."""
    call = ChangeOrganizationCall.model_validate({"keeps": keeps})
    return sandbox.perform(lambda work: change_settings(work, call))


def sends_marketing(sandbox: Sandbox) -> None:
    """Let the organisation send marketing."""
    may = {"verified_domain": True, "company_footer": "Halo"}
    call = ChangeOrganizationCall.model_validate(may)
    sandbox.perform(lambda work: change_settings(work, call))


def cap(sandbox: Sandbox, *spans: str) -> ChangedOrganization:
    """Say that a contact gets two mails of marketing within each of the spans."""
    caps = [{"at_most": 2, "within": span} for span in spans]
    call = ChangeOrganizationCall.model_validate({"frequency_caps": caps})
    return sandbox.perform(lambda work: change_settings(work, call))


def sweep(sandbox: Sandbox, limit: int = 1_000) -> int:
    """Delete what is old by now, page by page; return how many rows."""
    deleted = 0
    while True:
        swept = sandbox.perform(lambda work: sweep_page(work, limit))
        deleted += swept.deleted
        if swept.is_done:
            return deleted


def user(sandbox: Sandbox, name: str, **traits: Any) -> None:
    """Identify a user who has an address."""
    call = IdentifyCall(user_id=name, traits={"email": f"{name}@a.example", **traits})
    sandbox.perform(lambda work: identify(work, call))


def fire(sandbox: Sandbox, name: str, event: str, at: datetime | None = None, **said: Any) -> None:
    """Track an event of a user, now or ``at`` an instant."""
    timestamp = None if at is None else at.isoformat()
    call = TrackCall(user_id=name, event=event, timestamp=timestamp, properties=said)
    sandbox.perform(lambda work: track(work, call))


def links_to(work: Work, name: str, purpose: Purpose, about: bytes = b"") -> list[FollowCall]:
    """Return the links of all mails that a user got, the oldest first, deleted ones too."""
    mails = mail_readers
    found = work.connection.scalars(
        select(mails.c.recipient_id)
        .join_from(mails, end_users, end_users.c.id == mails.c.end_user_id)
        .where(mails.c.org_id == work.org_id, end_users.c.external_id == name)
        .order_by(mails.c.recipient_id)
    )
    tokens = [MailToken(purpose, work.org_id, mail, about) for mail in found]
    return [FollowCall(token=token.signed(work.org.mail_key)) for token in tokens]
