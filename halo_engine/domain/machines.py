"""Which openings and clicks are machines', not people's (contract §16).

Mail programs and security scanners fetch what stands in a mail before its reader does. An open or a
click that a machine made says nothing about the reader.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

#: Different links of one mail that are followed so close together were followed by a scanner.
SCANNED_WITHIN: Final = timedelta(seconds=1)
#: A click is judged so long after it was noted: by then those beside it are noted too, by whichever
#: process answered them.
JUDGED_AFTER: Final = 2 * SCANNED_WITHIN
#: What Apple's mail privacy proxy says of itself, and nothing else.
_BARE_AGENT: Final = "Mozilla/5.0"
#: It fetches soon after delivery; later its user agent alone says too little.
_FETCHED_WITHIN: Final = timedelta(hours=1)


def is_prefetched(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request says itself that no person made it; names are in lower case."""
    purposes = (headers.get("purpose", ""), headers.get("sec-purpose", ""))
    return method == "HEAD" or any("prefetch" in purpose.lower() for purpose in purposes)


def is_proxy_opening(agent: str, opened_at: datetime, sent_at: datetime | None) -> bool:
    """Return whether a mail was opened by a proxy that fetches pictures beforehand."""
    if agent.strip() != _BARE_AGENT or sent_at is None:
        return False
    return opened_at - sent_at <= _FETCHED_WITHIN
