"""The kinds of condition, each declared once: when it is true, and what value it takes (§5).

``journey.condition_questions`` gathers the answers; activation checks and warnings read which value
a condition needs.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final, Self

from pydantic import Field, StrictBool, model_validator

from halo_engine.domain.errors import Fault, Refusal, several
from halo_engine.domain.fields.event_filters import EventGroups
from halo_engine.domain.fields.expressions import parse_expression
from halo_engine.domain.series.settings import Definition


class ConditionType(StrEnum):
    """What a condition step looks at (contract §5)."""

    EMAIL_OPENED = "email_opened"
    LINK_CLICKED = "link_clicked"
    USER_PROPERTY = "user_property"
    EVENT_FIRED = "event_fired"


class Takes(Enum):
    """What a condition's value is."""

    NOTHING = auto()
    EXPRESSION = auto()
    EVENT_NAME = auto()


@dataclass(frozen=True, slots=True)
class ConditionRule:
    """One kind of condition; ``words`` complete "true when".

    ``reads_mail``: it is about earlier emails of the run.
    """

    key: ConditionType
    words: str
    takes: Takes = Takes.NOTHING
    reads_mail: bool = False

    def problem(self, value: str | None) -> str | None:
        """Return what keeps a condition of this kind from being evaluated (check 9 of §8)."""
        if self.takes is Takes.NOTHING:
            return None
        if not value or not value.strip():
            return f"condition {self.key} needs a value"
        if self.takes is Takes.EXPRESSION:
            try:
                parse_expression(value)
            except Refusal as refusal:
                return refusal.message
        return None


#: All kinds of condition, in the order of §5.
CONDITIONS: Final = (
    ConditionRule(
        key=ConditionType.EMAIL_OPENED,
        words="the most recent earlier email of this enrollment was opened",
        reads_mail=True,
    ),
    ConditionRule(
        key=ConditionType.LINK_CLICKED,
        words="a link in any earlier email of this enrollment was clicked",
        reads_mail=True,
    ),
    ConditionRule(
        key=ConditionType.USER_PROPERTY,
        words="the expression holds now",
        takes=Takes.EXPRESSION,
    ),
    ConditionRule(
        key=ConditionType.EVENT_FIRED,
        words="the event fired at or after the contact reached the step",
        takes=Takes.EVENT_NAME,
    ),
)

#: The same by type.
RULE_OF: Final = {rule.key: rule for rule in CONDITIONS}


class Condition(Definition):
    """A condition that gates the run (contract §5, §21); activation check 9 checks its value."""

    type: ConditionType = Field(description="What the condition asks.")
    value: str | None = Field(default=None, description="An expression, or the event's name.")
    filters: EventGroups = Field(
        default=(),
        description="Of `event_fired`: the filters that the event has to hold; `same` compares it "
        "with the event that began the run.",
    )
    early: StrictBool = Field(
        default=False,
        description="Of `event_fired`: go on as soon as the event fires; the delay is the longest "
        "wait.",
    )

    @property
    def rule(self) -> ConditionRule:
        """How this kind of condition is declared."""
        return RULE_OF[self.type]

    @model_validator(mode="after")
    def _waits_for_an_event(self) -> Self:
        if self.rule.takes is Takes.EVENT_NAME:
            return self
        problem = f"is of no use at {self.type}; allowed is it at {ConditionType.EVENT_FIRED}"
        if misplaced := [
            Fault((name,), problem) for name in ("filters", "early") if getattr(self, name)
        ]:
            raise several("condition", misplaced)
        return self
