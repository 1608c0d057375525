"""What happens to contacts in series, as webhooks tell it (contract §14)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Happening(StrEnum):
    """A kind of happening; its value is the ``type`` of the webhook."""

    ENTERED = "contact.entered"
    REFUSED = "contact.refused"
    STEP_DONE = "step.done"
    SENT = "mail.sent"
    FAILED = "mail.failed"
    OPENED = "mail.opened"
    CLICKED = "mail.clicked"
    REPLIED = "mail.replied"
    CONVERTED = "contact.converted"
    EXITED = "contact.exited"


#: The ``type`` of a message that only tests an endpoint.
TEST: Final = "webhook.test"

#: What each kind means.
WORDS: Final[Mapping[Happening, str]] = {
    Happening.ENTERED: "The contact entered the series.",
    Happening.REFUSED: "A guard refused the contact; `reason` is its code.",
    Happening.STEP_DONE: "A step is completed, or skipped for a `reason`.",
    Happening.SENT: "The mail server took the step's email.",
    Happening.FAILED: "The step's email failed for good; `reason` says why.",
    Happening.OPENED: "The email was opened by a person for the first time.",
    Happening.CLICKED: "A link in the email was clicked by a person for the first time.",
    Happening.REPLIED: "The contact replied to the email.",
    Happening.CONVERTED: "The contact reached the series' goal.",
    Happening.EXITED: "The contact's run ended; `reason` is that of the exit.",
}

Kinds = frozenset[Happening]
