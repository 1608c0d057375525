"""The reasons why mail bounces, and which of them mean a wrong address (contract §2)."""

from enum import StrEnum
from typing import Final


class BounceReason(StrEnum):
    """Why a mail bounced."""

    USER_UNKNOWN = "user_unknown"
    DOMAIN_UNKNOWN = "domain_unknown"
    BAD_ADDRESS = "bad_address"
    MOVED = "moved"
    #: The domain accepts no mail at all (RFC 7505).
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
    #: The mail did not arrive, or not in time.
    NETWORK = "network"
    #: The recipient's server is at fault.
    SERVER = "server"
    UNCLEAR = "unclear"


#: The recipient's address is wrong, so the bounce is for good.
FOR_GOOD: Final = frozenset(
    {
        BounceReason.USER_UNKNOWN,
        BounceReason.DOMAIN_UNKNOWN,
        BounceReason.BAD_ADDRESS,
        BounceReason.MOVED,
        BounceReason.NULL_MX,
    }
)
