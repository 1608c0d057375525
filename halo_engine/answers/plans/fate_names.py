"""What a save does to an active recipient: the fates, each declared once (contract §18)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FateName(StrEnum):
    """The fates, in the order in which the first that applies is taken."""

    EXITS = "exits"
    COMPLETES = "completes"
    SKIPS_STEP = "skips_step"
    SENT_NOW = "sent_now"
    RESCHEDULED = "rescheduled"
    STAYS = "stays"


@dataclass(frozen=True, slots=True)
class FateRule:
    """One fate; ``words`` complete "the contact", ``short`` says the same in a table."""

    key: FateName
    short: str
    words: str


FATES: Final = (
    FateRule(
        FateName.EXITS, "leave", "leaves at the next look: an exit rule or a company's seat ends it"
    ),
    FateRule(
        FateName.COMPLETES,
        "complete: their step goes",
        "is at a step that goes, and nothing is left after it",
    ),
    FateRule(
        FateName.SKIPS_STEP,
        "skip their step, walk",
        "is at a step that goes, and walks on to another when it is due",
    ),
    FateRule(FateName.SENT_NOW, "are due at once", "is due at once"),
    FateRule(FateName.RESCHEDULED, "are rescheduled", "is due at another time"),
    FateRule(FateName.STAYS, "stay as they are", "stays as it is"),
)

#: The same by name.
FATE_OF: Final = {rule.key: rule for rule in FATES}
