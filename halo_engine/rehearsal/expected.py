"""What a scenario file expects, as it is written."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of a scenario file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ExpectedError(Part):
    """How an action must be refused; the message is compared when it is given."""

    status: int
    message: str | None = None


class ExpectedFilter(Part):
    """A diagnosis of one filter; only the keys given are compared."""

    place: str = ""
    field: str = ""
    operator: str = ""
    value: Any = None
    passes_alone: int = 0
    matches_without: int = 0
    missing: int = 0


class ExpectedDiagnosis(Part):
    """A diagnosis; only the keys given are compared."""

    matched: int = 0
    filters: list[ExpectedFilter] = []


class ExpectedMail(Part):
    """A mail; only the keys given are compared."""

    to: str = ""
    subject: str = ""
    contains: list[str] = []
    headers: dict[str, str] = {}


class ExpectedPlan(Part):
    """The counts of the last plan; only the keys given are compared."""

    stays: int = Field(default=0, description="How many contacts stay as they are.")
    rescheduled: int = Field(default=0, description="How many are due at another time.")
    sent_now: int = Field(default=0, description="How many are due at once.")
    skips_step: int = Field(default=0, description="How many walk on from a step that goes.")
    completes: int = Field(
        default=0, description="How many are at a step that goes, and nothing is left after it."
    )
    exits: dict[str, int] = Field(default={}, description="By exit reason.")
    matched: tuple[int, int] = Field(
        default=(0, 0), description="How many outside match, before and after."
    )
    would_enter: int = Field(default=0, description="How many of those outside would enter.")


class Expectation(Part):
    """What must be true at this point of the timeline; only the keys given are checked."""

    answer: dict[str, Any] = Field(
        default={}, description="The last action's answer; only the keys given are compared."
    )
    status: dict[str, str] = Field(default={}, description="The status of each series.")
    matched: dict[str, int] = Field(default={}, description="How many match each series now.")
    enrolled: dict[str, int] = Field(
        default={}, description="How many contacts ever entered, each counted once."
    )
    versions: dict[str, int] = Field(
        default={}, description="How many versions each series has; the draft is the first."
    )
    enrollments: dict[str, int] = Field(
        default={}, description="How many runs there ever were, repeated ones included."
    )
    active: dict[str, list[str]] = Field(
        default={}, description="Who is in each series now, in any order."
    )
    held: dict[str, list[str]] = Field(
        default={}, description="Whom each series' surge holds, in order of arrival."
    )
    surge_at_most: dict[str, int | None] = Field(
        default={},
        description="How many a span of each series' surge takes; null where `auto` is not worked "
        "out yet.",
    )
    sent: dict[str, dict[str, list[str]]] = Field(
        default={},
        description="By series and contact the steps whose emails were sent, in order; a contact "
        "that is not named got none.",
    )
    recipients: dict[str, list[dict[str, Any]]] = Field(
        default={},
        description="Exactly these rows of each series, in any order; only the keys given are "
        "compared.",
    )
    exited: dict[str, dict[str, str]] = Field(
        default={}, description="By series and contact why its latest run ended."
    )
    converted: dict[str, list[str]] = Field(
        default={}, description="Who converted in each series, in any order."
    )
    explain: dict[str, dict[str, str]] = Field(
        default={}, description="By series and contact the reason code, or `active`."
    )
    ledger: dict[str, dict[str, int]] = Field(
        default={}, description="By series the buckets of the ledger that are not empty."
    )
    diagnose: dict[str, ExpectedDiagnosis] = Field(
        default={}, description="What the diagnosis of each series says."
    )
    preflight: dict[str, list[str]] = Field(
        default={}, description="By series every activation check that fails, as it is worded."
    )
    plan: ExpectedPlan = Field(
        default=ExpectedPlan(), description="What the last `plan` says of the contacts."
    )
    contact: dict[str, dict[str, Any] | None] = Field(
        default={},
        description="By contact its columns, `custom:NAME` and `context:KEY`; null says that there "
        "is no such contact.",
    )
    last_seen: dict[str, str] = Field(default={}, description="When each contact was last seen.")
    fields: list[str] = Field(
        default=[], description="Custom fields that are registered, at least these."
    )
    mail: list[ExpectedMail] = Field(
        default=[],
        description="Every mail sent so far, in order; only the keys given are compared.",
    )
