"""The doors of operators: an organisation's settings, keys and audit log (§12)."""

from typing import Any, Final

from halo_engine.answers.operations.status import Status, status
from halo_engine.contacts.calls import Call
from halo_engine.domain.roles import Role
from halo_engine.doors.acts import Ask, Order
from halo_engine.doors.calls import BareCall
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.trails import About, answered, nothing
from halo_engine.operators.audit import AuditPage, ListAuditCall, State, list_audit
from halo_engine.operators.keys import (
    CreatedKey,
    CreateKeyCall,
    KeyAnswer,
    KeyPage,
    ListKeysCall,
    RevokeKeyCall,
    create_key,
    list_keys,
    revoke_key,
    revoked_at,
)
from halo_engine.organizations.settings import (
    ChangeOrganizationCall,
    OrganizationAnswer,
    OrganizationSettings,
)
from halo_engine.organizations.storing import change_organization, find_organization, settings_of
from halo_engine.organizations.widget_keys import revoke_old_widget_key, rotate_widget_key
from halo_engine.series.checking.cap_spans import check_caps_and_mails
from halo_engine.series.checking.quiet_windows import swallowed_series
from halo_engine.series.checking.spans import refuse_shorter_than_counted
from halo_engine.series.locks import lock_series_for_change
from halo_engine.work import Work


class ChangedOrganization(OrganizationAnswer):
    """An organisation after a change of its settings; ``breaks`` are the series, active or paused,
    with an email that can never be sent: its window lies inside the quiet hours.
    """

    breaks: tuple[str, ...] = ()


class RotateCall(Call):
    """With ``revoke_old`` the previous widget key is revoked, and no new one is made."""

    revoke_old: bool = False


def _show(work: Work, _: BareCall) -> OrganizationAnswer:
    return find_organization(work.connection, work.org.key).masked()


def change_settings(work: Work, call: OrganizationSettings) -> ChangedOrganization:
    """Change the settings that are given, and name the series that this breaks (contract §20).

    Raises 409 if events would be kept for less long than a series counts them, or mails than caps
    do, and 400 for a cap that looks further back than mails are kept (§24).
    """
    given = call.model_fields_set
    if given & _OF_COUNTING:
        work = lock_series_for_change(work)
        keeps = {**work.org.keeps, **call.keeps}
        caps = call.frequency_caps or () if "frequency_caps" in given else work.org.frequency_caps
        check_caps_and_mails(work, caps, keeps)
        if call.keeps:
            refuse_shorter_than_counted(work, keeps)
    changed = change_organization(work.connection, work.org.key, call)
    breaks: tuple[str, ...] = ()
    if call.model_fields_set & _OF_TIMES:
        breaks = swallowed_series(work, changed.hours)
    return ChangedOrganization.model_construct(**dict(changed), breaks=breaks)


#: The settings that say how far back is counted, and how far back there is something to count.
_OF_COUNTING: Final = {"keeps", "frequency_caps"}
#: The settings that say when mail may go out.
_OF_TIMES: Final = {"quiet_hours", "timezone"}


def _rotate(work: Work, call: RotateCall) -> OrganizationAnswer:
    change = revoke_old_widget_key if call.revoke_old else rotate_widget_key
    return change(work.connection, work.org.key).masked()


def _settings(work: Work, _: Any) -> State:
    return settings_of(work.connection, work.org_id)


def _the_key(_work: Work, call: RevokeKeyCall, _answer: Any) -> str:
    return str(call.key)


def _revoked(work: Work, call: RevokeKeyCall) -> State:
    return {"revoked_at": revoked_at(work, call.key)}


DOORS: Final[tuple[AnyDoor, ...]] = (
    Door(
        "organizations.show",
        "Show the organisation's settings and widget key; a secret is `***`.",
        BareCall,
        OrganizationAnswer,
        Role.VIEWER,
        Ask(_show),
    ),
    Door(
        "organizations.change",
        "Change the settings that are given; the others stay.",
        ChangeOrganizationCall,
        ChangedOrganization,
        Role.ADMIN,
        Order(lambda work, call, _: change_settings(work, call).masked()),
        About(nothing, _settings),
    ),
    Door(
        "organizations.rotate_widget_key",
        "Make a new widget key; the old one works too until it is revoked.",
        RotateCall,
        OrganizationAnswer,
        Role.ADMIN,
        Order(lambda work, call, _: _rotate(work, call)),
        About(nothing, _settings),
    ),
    Door(
        "organizations.status",
        "Say what waits in the organisation, and what needs a person.",
        BareCall,
        Status,
        Role.VIEWER,
        Ask(lambda work, _: status(work)),
    ),
    Door(
        "keys.create",
        "Make an operator key; it is shown this once.",
        CreateKeyCall,
        CreatedKey,
        Role.ADMIN,
        Order(lambda work, call, _: create_key(work, call)),
        About(answered, answers=("name", "role", "prefix", "expires_at")),
    ),
    Door(
        "keys.list",
        "List the operator keys, without their secrets.",
        ListKeysCall,
        KeyPage,
        Role.ADMIN,
        Ask(list_keys),
    ),
    Door(
        "keys.revoke",
        "Revoke an operator key.",
        RevokeKeyCall,
        KeyAnswer,
        Role.ADMIN,
        Order(lambda work, call, _: revoke_key(work, call)),
        About(_the_key, _revoked),
    ),
    Door(
        "audit.list",
        "List what operators changed, newest first.",
        ListAuditCall,
        AuditPage,
        Role.ADMIN,
        Ask(list_audit),
    ),
)
