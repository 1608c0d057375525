"""The labels of the Series Rules panel: each choice, and each field, in the documents' words (§17).

The labels of exit rules stand where the rules are declared (``domain.series.exits``), those of
operators beside their other words (``domain.phrases``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from halo_engine.domain.errors import shown
from halo_engine.domain.fields.catalogue import BARE_CUSTOM, PREFIXES, Entity, Field
from halo_engine.domain.reasons import (
    AudienceType,
    ContactTypeChoice,
    EntryTrigger,
    SeriesKind,
    SeriesStatus,
    WhenCapped,
)
from halo_engine.domain.series.exits import ExitReason


@dataclass(frozen=True, slots=True)
class Label:
    """What the panel calls a choice, and what choosing it means, as a sentence."""

    text: str
    means: str


TRIGGERS: Final[Mapping[EntryTrigger, Label]] = MappingProxyType(
    {
        EntryTrigger.MANUAL: Label(
            "Manual",
            "Everybody who matches is added once, at activation. Contacts who match later are not.",
        ),
        EntryTrigger.USER_CREATED: Label(
            "User signs up",
            "Every newly identified contact is enrolled. Imported contacts are new, too.",
        ),
        EntryTrigger.EVENT: Label(
            "Triggers an event", "A contact is enrolled when the event fires for them."
        ),
        EntryTrigger.SEGMENT_MATCH: Label(
            "Matches the audience filter",
            "Existing matches enroll at activation, new matches on their next identify.",
        ),
    }
)

CONTACT_TYPES: Final[Mapping[ContactTypeChoice, Label]] = MappingProxyType(
    {
        ContactTypeChoice.BOTH: Label(
            "Users and leads", "Every contact, with an external ID or without."
        ),
        ContactTypeChoice.USER: Label("Users only", "Only contacts with an external ID."),
        ContactTypeChoice.LEAD: Label("Leads only", "Only contacts captured as leads."),
    }
)

SOURCES: Final[Mapping[AudienceType, Label]] = MappingProxyType(
    {
        AudienceType.ALL: Label("All contacts with email", "Everybody who has an email address."),
        AudienceType.SEGMENT: Label("Filter by criteria", "Everybody who matches the filters."),
        AudienceType.SUBSCRIPTION: Label(
            "Subscription list", "Everybody who is subscribed to the list."
        ),
    }
)

KINDS: Final[Mapping[SeriesKind, Label]] = MappingProxyType(
    {
        SeriesKind.TRANSACTIONAL: Label("Transactional", "Mail that answers what somebody did."),
        SeriesKind.MARKETING: Label(
            "Marketing", "Mail with a company footer and an unsubscribe link."
        ),
    }
)

WHEN_CAPPED: Final[Mapping[WhenCapped, Label]] = MappingProxyType(
    {
        WhenCapped.WAIT: Label("It waits", "An email that caps hold back waits until they let it."),
        WhenCapped.SKIP: Label(
            "It is skipped", "An email that caps hold back is skipped, and the contact goes on."
        ),
    }
)

STATUSES: Final[Mapping[SeriesStatus, Label]] = MappingProxyType(
    {
        SeriesStatus.DRAFT: Label("Draft", "It enrolls nobody until it is activated."),
        SeriesStatus.ACTIVE: Label("Active", "Contacts enter, and mail is sent."),
        SeriesStatus.PAUSED: Label("Paused", "Nobody enters, and nothing is sent."),
        SeriesStatus.COMPLETED: Label("Completed", "It is over for good."),
    }
)

#: What each part of the panel is called, by its path in the definition.
PARTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name": "Name",
        "kind": "Kind of mail",
        "entry_trigger": "Trigger",
        "settings.entry_event_name": "Event name",
        "settings.entry_event_filters": "Entry event filters",
        "settings.entry_patience": "Patience",
        "contact_type": "Contact type",
        "audience_type": "Audience source",
        "subscription": "Subscription list",
        "audience_filters": "Audience filters",
        "settings.one_per_company": "One per company",
        "settings.one_per_address": "One per address",
        "settings.reenroll_enabled": "Re-enrollment",
        "settings.reenroll_delay_days": "Days before entering again",
        "settings.goal_enabled": "Goal",
        "settings.goal_filters": "Goal filters",
        "settings.goal_window_days": "Goal window in days",
        "settings.exit_rules": "Exit rules",
        "settings.exit_event_name": "Exit event name",
        "settings.exit_event_filters": "Exit event filters",
        "settings.exit_filters": "Exit filters",
        "settings.surge": "Surge",
        "settings.send_window": "Send window",
        "settings.when_capped": "When frequency caps hold an email back",
    }
)

#: Parts that have no field in the panel, by their path.
OTHER_PARTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "settings.count_machine_opens": "Opens and clicks of machines count",
        "settings.delivery_guarantee": "Delivery",
    }
)

#: What to know of an exit rule before it is chosen.
EXIT_HINTS: Final[Mapping[ExitReason, str]] = MappingProxyType(
    {
        ExitReason.UNSUBSCRIBED: "Only where the source is “Subscription list”.",
        ExitReason.REPLIED: "To any email of the series; the reply lands in the inbox.",
        ExitReason.SEGMENT_LEAVE: "Only where the source is “Filter by criteria”, with a filter.",
        ExitReason.MANUAL: "Beside the other rules: somebody can always remove a contact on its "
        "page; this makes it explicit.",
    }
)

#: What to know of a field before it is filtered on, by its key.
FIELD_HINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "signed_up_at": "Contacts without it do not match; there is no fallback to Created.",
        "custom:role": "Your app sends it as role in identify; it is not intercom_role.",
    }
)

#: Columns whose label is more than their name in other letters.
_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "external_id": "User ID",
        "signed_up_at": "Signed Up",
        "created_at": "Created",
        "last_contacted_at": "Last contacted",
        "mrr": "MRR (in cents)",
        "arr": "ARR (in cents)",
        "company.external_id": "ID",
    }
)
_OWNERS: Final[Mapping[Entity, str]] = MappingProxyType(
    {
        Entity.CONTACT: "",
        Entity.COMPANY: "Company: ",
        Entity.STRIPE: "Stripe: ",
        Entity.PROPERTY: "Event: ",
    }
)


def label_of_field(field: Field) -> str:
    """Return what the panel calls the field: ``Signed Up``, ``Company: Name``, ``‘tier’``.

    A custom field is called by its own name, in quotes; the contract's bare ones have a label.
    """
    if field.entity is Entity.EVENT:
        return f"Times {shown(field.attribute)} fired"
    if field.entity is Entity.LIST:
        return f"On the list {shown(field.attribute)}"
    if field.entity is Entity.SERIES:
        return f"Stage in the series {shown(field.attribute)}"
    owner = f"{'Lead: ' if field.leads_only else ''}{_OWNERS[field.entity]}"
    if field.custom and (field.attribute not in BARE_CUSTOM or field.entity is not Entity.CONTACT):
        return f"{owner}{shown(field.attribute)}"
    return f"{owner}{_column(field)}"


def _column(field: Field) -> str:
    own = _COLUMNS.get(f"{PREFIXES[field.entity]}{field.attribute}")
    plain = field.attribute.replace("_", " ")
    return own or _COLUMNS.get(field.attribute) or f"{plain[:1].upper()}{plain[1:]}"
