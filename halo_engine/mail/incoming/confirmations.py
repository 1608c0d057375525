"""The link that confirms a list; whoever has it may follow it (contract §16)."""

from typing import Literal

from halo_engine.contacts.consent.confirming import confirm_lists, read_confirmation
from halo_engine.domain.answer import Answer
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.mail.incoming.links import LinkCall
from halo_engine.work import Work


class Confirmation(Answer):
    """What a link confirms: the organisation's ``name``, the list's key and what people see of it.

    ``state`` is ``pending`` until it is confirmed, and ``over`` once nobody waits for it any more:
    they left, or it is too late. Of an erased contact there is no ``list``.
    """

    state: Literal["pending", "confirmed", "over"]
    name: str
    list: str | None = None
    title: str | None = None
    description: str | None = None
    address: str | None = None


def look_at_confirmation(work: Work, call: LinkCall) -> Confirmation:
    """Return what a link confirms, and change nothing: a GET shows it.

    Raises 401 for a token of another organisation or for another purpose.
    """
    found = read_confirmation(work, _verified(work, call))
    if found is None:
        return Confirmation(state="over", name=work.org.name)
    is_there = "confirmed" if found["confirmed"] else "over"
    return Confirmation(
        state="pending" if found["waits"] else is_there,
        name=work.org.name,
        list=found["list"],
        title=found["name"],
        description=found["description"],
        address=found["address"],
    )


def confirm(work: Work, call: LinkCall) -> Confirmation:
    """Put whoever waits for this confirmation on the list (contract §16).

    Only a POST may do this. Again it changes nothing. Raises 401 as ``look_at_confirmation``.
    """
    confirm_lists(work, _verified(work, call))
    return look_at_confirmation(work, call)


def _verified(work: Work, call: LinkCall) -> int:
    return MailToken.verified(call.token, work.org.mail_key, Purpose.CONFIRM).recipient_id
