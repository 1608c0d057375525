"""What the tests of retention do: years pass, and what is old is deleted."""

from datetime import datetime, timedelta
from typing import Any

from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.doors.operators import ChangedOrganization, change_settings
from halo_engine.organizations import ChangeOrganizationCall
from halo_engine.retention.sweeping import sweep_page
from tests.pipeline.sandbox import Sandbox

DAY = timedelta(days=1)


def keep(sandbox: Sandbox, **keeps: str) -> ChangedOrganization:
    """Say how long the organisation keeps histories."""
    call = ChangeOrganizationCall.model_validate({"keeps": keeps})
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
