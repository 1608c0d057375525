"""Samples of the arguments that statements are built with, so that they can be shown.

The series has a bit of everything, so that the statements about it show all of their parts.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from inspect import signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, cast, get_args, get_origin, get_type_hints
from uuid import UUID

from sqlalchemy import Connection

from halo_engine.answers.plans.fates import PlannedSave
from halo_engine.answers.reports.funnel import FunnelRuns
from halo_engine.audience.matching import Audience
from halo_engine.audience.moments import Moment
from halo_engine.contacts.consent.address_hashes import Suppression
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.fields.if_blocks import IsSet
from halo_engine.domain.fields.merge_fields import MergeField, fields_of
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.decisions import DueFacts, Exit, Postpone, RunFacts, Send, Waits
from halo_engine.domain.series.definition import Series, SeriesDefinition, Step, StepDefinition
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.series.seats import TakeSeat
from halo_engine.domain.series.signals import Signal, SignalKind
from halo_engine.domain.times.retention import parsed_keeps
from halo_engine.enrollment.candidates import Candidates, Entrants, Found
from halo_engine.enrollment.pages import ContactCursor, ContactRange
from halo_engine.journey.observe import Observed
from halo_engine.journey.parking import FailedAlone
from halo_engine.mail.incoming.receive import Received
from halo_engine.mail.reading.incoming_mail import IncomingMail, MailKind
from halo_engine.mail.sending.leases import Release
from halo_engine.rehearsal.scenario import Scenario, ScenarioOrg
from halo_engine.series.rescheduling import Retimed
from halo_engine.series.save import parse_definition
from halo_engine.sql.parameters import PARAMETERS
from halo_engine.sql.statements import Statement
from halo_engine.work import Organization, Work

_OF: Final[Mapping[str, Any]] = {name: each.sample for name, each in PARAMETERS.items()}
_ZONE: Final = "UTC"

_ORG: Final = Organization(
    id=_OF["org_id"],
    version=1_001,
    key=_OF["org_key"],
    name="Halo",
    timezone=_ZONE,
    identity_secret=None,
    mrr_mode="manual",
    stripe_connected=False,
    verified_domain=True,
    company_footer=None,
    mail_from_name=None,
    mail_from_address=None,
    mail_reply_to=None,
    mail_bounce_domain=None,
    reevaluate_cron="*/15 * * * *",
    reevaluated_at=_OF["since"],
    passes_are_quick=True,
    passed_fully_at=_OF["since"],
    quiet_hours=None,
    frequency_caps=(),
    keeps=parsed_keeps({}),
    address_key=None,
    mail_key=b"",
    webhook_kinds=frozenset(),
    announced_series=(),
    has_default_lists=False,
    asks_to_confirm=False,
    sending_stopped=False,
)
#: Statements are built, not executed: there is no connection.
_WORK: Final = Work(cast(Connection, None), _ORG, _OF["now"])
MOMENT: Final = _WORK.moment

DEFINITION: Final = parse_definition(
    "welcome",
    {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [
            {"field": "custom:tier", "operator": "gte", "value": 2},
            {"field": "created_at", "operator": "after", "value": "-30d"},
        ],
        "settings": {
            "one_per_company": True,
            "one_per_address": True,
            "reenroll_enabled": True,
            "reenroll_delay_days": 30,
            "exit_rules": ["unsubscribed", "replied", "segment_leave", "event", "filter_match"],
            "exit_event_name": "paid",
            "exit_filters": [{"field": "company.name", "operator": "is", "value": "Halo"}],
            "goal_enabled": True,
            "goal_filters": [{"field": "event:login", "operator": "gte", "value": 3}],
        },
        "steps": [
            {"key": "hello", "email": {"subject": "Hello", "body": "Hello {{ name }}"}},
            {"key": "opened", "delay": "2d", "condition": {"type": "email_opened"}},
        ],
    },
)
_STEPS: Final = tuple(
    Step(
        id=UUID(int=_OF["step_id"].int + position),
        key=each.key,
        position=position,
        delay=each.delay,
        email=each.email,
        condition=each.condition,
        window=None,
    )
    for position, each in enumerate(DEFINITION.steps)
)
_SERIES: Final = Series(
    id=_OF["series_id"],
    key=_OF["series_key"],
    status=SeriesStatus.ACTIVE,
    kind=DEFINITION.kind,
    entry_trigger=DEFINITION.entry_trigger,
    audience_type=DEFINITION.audience_type,
    contact_type=DEFINITION.contact_type,
    subscription_id=None,
    audience_filters=DEFINITION.audience_filters,
    settings=DEFINITION.settings,
    steps=_STEPS,
)
_FILTERS: Final = [item for group in DEFINITION.audience_filters for item in group]
_RUN: Final = RunFacts(_SERIES, _OF["contact_id"], 1, None, ())
_RETIMED: Final = Retimed(_SERIES, _SERIES.steps, _OF["now"])
_DUE: Final = DueFacts(_RUN, [_OF["row_id"]], _STEPS[0], True, False)
_SIGNAL: Final = Signal(
    _OF["signal_id"],
    SignalKind.CHANGED,
    _OF["contact_id"],
    None,
    None,
    frozenset({"name"}),
    None,
    _OF["now"],
    _OF["now"],
    None,
)
_MAIL: Final = IncomingMail(
    MailKind.HARD_BOUNCE, BounceReason.MAILBOX_FULL, (_OF["message_id"],), (), "name-of-mail"
)
_PAGE: Final = ContactRange(None, ContactCursor(_OF["after_at"], _OF["after_id"]), _OF["until"])

_SCENARIO: Final = Scenario(
    Path("welcome.yaml"), "Welcome", _OF["now"], ScenarioOrg(), (_OF["list_key"],), {}, {}, ()
)

#: By type, for arguments whose type says what they are.
_BY_TYPE: Final[Mapping[Any, Any]] = {
    Work: _WORK,
    Moment: MOMENT,
    Series: _SERIES,
    Sequence[Series]: [_SERIES],
    Audience: _SERIES,
    SeriesDefinition: DEFINITION,
    Sequence[StepDefinition]: DEFINITION.steps,
    Sequence[Step]: _STEPS,
    Scenario: _SCENARIO,
    Filter: _FILTERS[0],
    Sequence[Filter]: _FILTERS,
    Collection[MergeField | IsSet]: fields_of("{{ name }}"),
    Candidates: Found(_OF["contact_ids"], _OF["now"]),
    Entrants: Found(_OF["contact_ids"], _OF["now"]),
    Observed: Observed(contacts=_OF["contact_ids"]),
    ContactRange: _PAGE,
    Signal: _SIGNAL,
    Sequence[Signal]: [_SIGNAL],
    FailedAlone: FailedAlone(_OF["row_id"], _OF["error"], counts=True),
    Sequence[Exit]: [Exit(_SERIES, _OF["contact_id"], 1, ExitReason.REPLIED)],
    Sequence[TakeSeat]: [TakeSeat(_RUN, _OF["company_id"])],
    Sequence[Postpone]: [Postpone(_DUE, _OF["until"], Waits.OUTSIDE_WINDOW)],
    Sequence[Send]: [Send(_DUE)],
    Sequence[Release]: [Release(_OF["row_id"])],
    IncomingMail: _MAIL,
    Received: Received(kind=_MAIL.kind, id=_OF["contact_id"]),
    MailToken: MailToken(Purpose.UNSUBSCRIBE, _OF["org_id"], _OF["row_id"], _OF["list_id"].bytes),
    Collection[Suppression]: [Suppression(_OF["address"], _OF["since"], None, None)],
    PlannedSave: PlannedSave(_SERIES, _RETIMED),
    FunnelRuns: FunnelRuns(_WORK, _SERIES, 1),
    Retimed: _RETIMED,
    timedelta: timedelta(minutes=5),
    bool: True,
}

#: By name: the parameters, and other names of arguments.
_BY_NAME: Final[Mapping[str, Any]] = {
    **_OF,
    "contacts": _OF["contact_ids"],
    "after": _OF["after_id"],
    "groups": DEFINITION.audience_filters,
    # Further conditions: there are none.
    **dict.fromkeys(("narrowed", "chosen", "which", "conditions", "others"), ()),
}


def shown_with(
    statement: Statement[..., Any], series: Series | None = None
) -> Mapping[str, object]:
    """Return the arguments that a statement is shown with, by name.

    ``series`` replaces the sample series.
    """
    hints = get_type_hints(statement.build)
    samples = dict(_BY_TYPE)
    if series is not None:
        samples |= {Series: series, Sequence[Series]: [series], Audience: series}
        samples |= {Sequence[Step]: series.steps}
    found: dict[str, object] = {}
    for name in signature(statement.build).parameters:
        type_ = _without_none(hints.get(name))
        if name in statement.samples:
            found[name] = statement.samples[name]
        elif type_ in samples:
            found[name] = samples[type_]
        else:
            found[name] = _BY_NAME[name]
    return found


def _without_none(type_: Any) -> Any:
    if get_origin(type_) is UnionType:
        [*others] = [each for each in get_args(type_) if each is not NoneType]
        return others[0] if len(others) == 1 else type_
    return type_
