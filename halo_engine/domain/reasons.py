"""The words of the contract that are stored, answered and compared: statuses, codes and choices."""

from enum import StrEnum


class Status(StrEnum):
    """Where a recipient stands at its step (contract §1)."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    EXITED = "exited"
    FAILED = "failed"

    @property
    def is_active(self) -> bool:
        """Whether the recipient still has something before it (contract §1)."""
        return self in (Status.PENDING, Status.PROCESSING)


class SeriesStatus(StrEnum):
    """Where a series stands in its life (contract §8)."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"


class SeriesKind(StrEnum):
    """What a series sends; marketing needs a verified domain, a footer and a way out (§8, §9)."""

    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"


class EntryTrigger(StrEnum):
    """What enrolls a contact (contract §4)."""

    MANUAL = "manual"
    USER_CREATED = "user_created"
    EVENT = "event"
    SEGMENT_MATCH = "segment_match"


class AudienceType(StrEnum):
    """Where the audience comes from (contract §3)."""

    ALL = "all"
    SEGMENT = "segment"
    SUBSCRIPTION = "subscription"


class ContactType(StrEnum):
    """What a contact is: a user has an external ID, a lead has none (contract §1)."""

    USER = "user"
    LEAD = "lead"


class ContactTypeChoice(StrEnum):
    """Which contacts a series is for (contract §3)."""

    BOTH = "both"
    USER = "user"
    LEAD = "lead"

    def admits(self, contact_type: ContactType) -> bool:
        """Return whether contacts of this type may be in the series."""
        return self is ContactTypeChoice.BOTH or self.value == contact_type.value


class ReasonCode(StrEnum):
    """Why a contact is not enrolled: the guards in order, then what only explain says (§4)."""

    SERIES_NOT_ACTIVE = "series_not_active"
    CONTACT_TYPE = "contact_type"
    AUDIENCE_MISMATCH = "audience_mismatch"
    SUPPRESSED = "suppressed"
    ALREADY_ACTIVE = "already_active"
    ALREADY_ENROLLED = "already_enrolled"
    REENROLL_DELAY = "reenroll_delay"
    NOT_NEWLY_MATCHING = "not_newly_matching"
    EXIT_FILTER = "exit_filter"
    COMPANY_ALREADY_ENROLLED = "company_already_enrolled"
    AWAITING_EVALUATION = "awaiting_evaluation"
    TRIGGER_NOT_FIRED = "trigger_not_fired"


class ExitReason(StrEnum):
    """Why an enrollment ended: the rules in the order in which one is stamped, then the gate (§6).

    ``condition_not_met`` is no rule: it ends the enrollment whose condition was false (§5).
    """

    COMPLETED = "completed"
    UNSUBSCRIBED = "unsubscribed"
    REPLIED = "replied"
    SEGMENT_LEAVE = "segment_leave"
    EVENT = "event"
    FILTER_MATCH = "filter_match"
    MANUAL = "manual"
    SUPPRESSED = "suppressed"
    COMPANY_ALREADY_ENROLLED = "company_already_enrolled"
    CONDITION_NOT_MET = "condition_not_met"


class SkipReason(StrEnum):
    """Why a row was skipped (contract §5)."""

    NO_EMAIL = "no_email"
    UNSUBSCRIBED = "unsubscribed"
    CONDITION_NOT_MET = "condition_not_met"
    STEP_REMOVED = "step_removed"


class FailReason(StrEnum):
    """Why a row failed, beside what the mail server said (contract §5, §9)."""

    OUTCOME_UNKNOWN = "outcome_unknown"


class ConditionType(StrEnum):
    """What a condition step looks at (contract §5)."""

    EMAIL_OPENED = "email_opened"
    LINK_CLICKED = "link_clicked"
    USER_PROPERTY = "user_property"
    EVENT_FIRED = "event_fired"


class DeliveryGuarantee(StrEnum):
    """What happens to an email whose sending cannot be known (contract §9)."""

    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"


class PassedOver(StrEnum):
    """Why something that Stripe sent is about nobody (contract §2)."""

    #: It names its object by id alone.
    THIN_EVENT = "thin_event"
    #: Stripe bills an account and no customer.
    NO_CUSTOMER = "no_customer"
