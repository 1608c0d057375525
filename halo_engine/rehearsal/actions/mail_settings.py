"""The action that changes what the organisation says of its mail (contract §20)."""

from halo_engine.contacts.calls import Call
from halo_engine.domain.times.frequency import GivenCaps
from halo_engine.domain.times.quiet_hours import QuietHours
from halo_engine.doors.operators import ChangedOrganization, change_settings
from halo_engine.organizations.settings import ChangeOrganizationCall
from halo_engine.work import Work


class MailSettingsCall(Call):
    """The settings that change; those not given stay."""

    quiet_hours: QuietHours | None = None
    frequency_caps: GivenCaps | None = None


def change_mail_settings(work: Work, call: MailSettingsCall) -> ChangedOrganization:
    """Change the settings that are given."""
    given = ChangeOrganizationCall.model_validate(call.model_dump(exclude_unset=True))
    return change_settings(work, given)
