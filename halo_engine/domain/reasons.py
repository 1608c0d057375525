"""The words of the contract that are stored, answered and compared: statuses, codes and choices."""

from enum import StrEnum
from typing import Self


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
        """Whether the recipient is still under way (contract §1)."""
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


class WithWords(StrEnum):
    """Words that are stored, each with what it means in ``words``."""

    words: str

    def __new__(cls, key: str, words: str) -> Self:
        """Make a member that is its key."""
        member = str.__new__(cls, key)
        member._value_ = key
        member.words = words
        return member

    @property
    def key(self) -> str:
        """The word that is stored."""
        return str(self)


class SkipReason(WithWords):
    """Why a row was skipped (contract §5)."""

    NO_EMAIL = "no_email", "the contact has no email address"
    UNSUBSCRIBED = "unsubscribed", "the contact has left the list of the series"
    CONDITION_NOT_MET = "condition_not_met", "the condition is false"
    STEP_REMOVED = "step_removed", "the step was removed from the series"
    TOO_LATE = "too_late", "the email could not be sent within its `send_by`"
    FREQUENCY_CAP = "frequency_cap", "the contact got as much marketing as the caps allow"
    QUIET_HOURS = (
        "quiet_hours",
        "its send window does not open outside the quiet hours within 8 days, where the contact is",
    )


class WhenCapped(StrEnum):
    """What becomes of an email that frequency caps hold back (contract §20)."""

    WAIT = "wait"
    SKIP = "skip"


class FailReason(WithWords):
    """Why a row failed, beside what the mail server said (contract §5, §9)."""

    OUTCOME_UNKNOWN = "outcome_unknown", "nobody can know whether the email was sent"


class DeliveryGuarantee(StrEnum):
    """What happens to an email whose sending cannot be known (contract §9)."""

    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"


class PassedOver(StrEnum):
    """Why an event from Stripe is passed over: it names no customer (contract §2)."""

    #: It names its object by id alone.
    THIN_EVENT = "thin_event"
    #: Stripe bills an account and no customer.
    NO_CUSTOMER = "no_customer"


class Stage(StrEnum):
    """Where a contact stands in a series, by its latest run (contract §22)."""

    NEVER = "never"
    ACTIVE = "active"
    COMPLETED = "completed"
    EXITED = "exited"
    NOT_MET = "not_met"
