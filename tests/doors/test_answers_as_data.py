"""What a door answers can be given back to it: its keys are those that a call takes (§12)."""

import json

import pytest

from halo_engine.domain.times.quiet_hours import QuietHours
from halo_engine.doors.door import as_data
from halo_engine.organizations.settings import OrganizationSettings
from workers.web.messages.responses import answered

QUIET = {"from": "21:00", "to": "08:00", "timezone": "contact"}


@pytest.mark.parametrize("by", ["task", "http"])
def test_quiet_hours_are_answered_as_they_are_set(by: str) -> None:
    """Both kinds of callers read `from` and `to`, as they wrote them."""
    answer = OrganizationSettings(quiet_hours=QuietHours.model_validate(QUIET))
    data = as_data(answer) if by == "task" else json.loads(answered(answer).body)
    assert data["quiet_hours"] == QUIET
