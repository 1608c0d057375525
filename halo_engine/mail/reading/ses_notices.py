"""Read notices of Amazon SES, which SNS sends as mails with JSON in them (contract §2).

They follow no RFC and do not return the mail in question. If the topic is set up so, the JSON has
its headers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from json import JSONDecoder
from typing import Any, Final

from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.mail.reading.bounces import Bounce, judge
from halo_engine.mail.reading.complaints import BY_A_PERSON
from halo_engine.mail.reading.parts import ids_in, leaves, text

#: SNS sets it on every mail.
_MARK: Final = "X-Amz-Sns-Message-Id"
#: Lenient, because some servers wrap lines of a mail that they forward.
_JSON: Final = JSONDecoder(strict=False)
#: A Message-ID that SES made; the region that may be part of it is left out.
_OF_SES: Final = "<{}@amazonses.com>"


@dataclass(frozen=True, slots=True)
class Notice:
    """A complaint, or the bounce of each recipient; and the Message-IDs of the mail."""

    bounces: Sequence[Bounce]
    is_complaint: bool
    message_ids: Sequence[str]


def read_notice(mail: Message) -> Notice | None:
    """Return the notice in a mail of SES; None for any other mail."""
    if _MARK not in mail:
        return None
    try:
        said, _ = _JSON.raw_decode(text(leaves(mail)[0]).lstrip())
    except (ValueError, IndexError):
        return None
    notice = _mapping(said)
    of = notice.get("notificationType", notice.get("eventType"))
    bounces = list(_bounces(_mapping(notice.get("bounce")))) if of == "Bounce" else []
    complained = of == "Complaint" and _is_by_a_person(_mapping(notice.get("complaint")))
    return Notice(bounces, complained, list(_ids(_mapping(notice.get("mail")))))


def _is_by_a_person(complaint: Mapping[str, Any]) -> bool:
    """Whether a person caused it; most mailbox providers do not say."""
    said = complaint.get("complaintFeedbackType")
    return not isinstance(said, str) or said.lower() in BY_A_PERSON


def _bounces(bounce: Mapping[str, Any]) -> Iterator[Bounce]:
    for each in _list(bounce.get("bouncedRecipients")):
        recipient = _mapping(each)
        diagnostic, status = (str(recipient.get(name, "")) for name in ("diagnosticCode", "status"))
        judged = judge(diagnostic, status) or Bounce(False, BounceReason.UNCLEAR)
        yield Bounce(judged.for_good and bounce.get("bounceType") == "Permanent", judged.reason)


def _ids(mail: Mapping[str, Any]) -> Iterator[str]:
    common = _mapping(mail.get("commonHeaders"))
    yield from ids_in(str(common.get("messageId", "")))
    for each in _list(mail.get("headers")):
        named = _mapping(each)
        if str(named.get("name")).lower() in ("message-id", "references"):
            yield from ids_in(str(named.get("value")))
    if isinstance(mail.get("messageId"), str):
        yield _OF_SES.format(mail["messageId"])


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
