"""What happens to one contact."""

from datetime import timedelta
from typing import Any

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.consent.suppression import BounceCall, bounce
from halo_engine.contacts.consent.unsuppress import UnsuppressCall, unsuppress
from halo_engine.contacts.finding import find_contacts
from halo_engine.contacts.identifying.identify import IdentifyAnswer, IdentifyCall, identify
from halo_engine.domain.errors import validated
from halo_engine.journey.removal import remove
from halo_engine.rehearsal.actions.doors import mapping_of, token_of
from halo_engine.rehearsal.sandbox import Sandbox
from halo_engine.series import lifecycle
from halo_engine.work import Work


class _Bounce(Call):
    contact: Identifier
    series: Identifier | None = None
    step: Identifier | None = None


class _Remove(Call):
    contact: Identifier
    series: Identifier


def identify_user(sandbox: Sandbox, value: Any) -> None:
    """Identify a user and its company in one transaction: both or neither."""
    given = mapping_of(value, "identify")
    company = given.pop("company", None)
    token = token_of(sandbox, given.pop("user_token_claims", None), timedelta(hours=1))
    call = validated(IdentifyCall, {**given, "user_token": token}, "identify")
    belongs = None
    if company is not None:
        named = {**mapping_of(company, "identify.company"), "user_id": call.user_id}
        belongs = validated(IdentifyCompanyCall, named, "identify.company")

    def both(work: Work) -> IdentifyAnswer:
        answer = identify(work, call)
        if belongs is not None:
            identify_company(work, belongs)
        return answer

    sandbox.answer = sandbox.perform(both).model_dump(mode="json")


def bounce_address(sandbox: Sandbox, value: Any) -> None:
    """Bounce a contact's address; series and step may name the mail that bounced."""
    call = BounceCall(contact=validated(_Bounce, value, "bounce").contact)
    sandbox.perform(lambda work: bounce(work, call))


def lift_suppression(sandbox: Sandbox, value: Any) -> None:
    """Lift an address's suppression, as an operator does."""
    call = validated(UnsuppressCall, value, "unsuppress")
    answer = sandbox.perform(lambda work: unsuppress(work, call))
    sandbox.answer = answer.model_dump(mode="json")


def remove_contact(sandbox: Sandbox, value: Any) -> None:
    """Take a contact out of a series by hand."""
    call = validated(_Remove, value, "remove")

    def removed(work: Work) -> None:
        [contact_id] = find_contacts(work, [call.contact])
        remove(work, contact_id, lifecycle.find_series(work, call.series))

    sandbox.perform(removed)
