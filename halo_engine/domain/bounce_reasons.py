"""Why a mail came back, and which reasons are the recipient's address (contract §2)."""

from enum import StrEnum
from typing import Final


class BounceReason(StrEnum):
    """Why a mail came back."""

    USER_UNKNOWN = "user_unknown"
    DOMAIN_UNKNOWN = "domain_unknown"
    BAD_ADDRESS = "bad_address"
    MOVED = "moved"
    #: The domain takes no mail at all (RFC 7505).
    NULL_MX = "null_mx"

    MAILBOX_FULL = "mailbox_full"
    MAILBOX_DISABLED = "mailbox_disabled"
    SENDER_REFUSED = "sender_refused"
    AUTHENTICATION = "authentication"
    BLOCKLIST = "blocklist"
    CONTENT = "content"
    POLICY = "policy"
    RATE = "rate"
    RELAYING = "relaying"
    TOO_LARGE = "too_large"
    #: It never got there, or not in time.
    NETWORK = "network"
    #: The other server, or its settings, are at fault.
    SERVER = "server"
    UNCLEAR = "unclear"


#: The recipient's address is the trouble: such a bounce is for good.
FOR_GOOD: Final = frozenset(
    {
        BounceReason.USER_UNKNOWN,
        BounceReason.DOMAIN_UNKNOWN,
        BounceReason.BAD_ADDRESS,
        BounceReason.MOVED,
        BounceReason.NULL_MX,
    }
)
