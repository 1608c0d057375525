"""Identifying companies: accounts that contacts belong to, at most one at a time (contract §2)."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from halo_engine.contacts.calls import Call, Identifier, SentAt
from halo_engine.contacts.companies.merge import COMPANY_TRAITS
from halo_engine.contacts.companies.rows import GivenCompany, WrittenCompany, write_companies
from halo_engine.contacts.sending_order import sending_time
from halo_engine.contacts.subjects import about_company, about_user
from halo_engine.contacts.writing.bounds import too_large
from halo_engine.contacts.writing.registry import left_out_of, not_registered
from halo_engine.contacts.writing.revenue import without_stripes
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import not_found
from halo_engine.domain.fields.traits import split_company_traits
from halo_engine.domain.times.instants import format_instant
from halo_engine.sets import Outcome, Outcomes, SetForm, Subject, only
from halo_engine.work import Work


class IdentifyCompanyCall(Call):
    """A company by its external ID, traits to merge, and a user who joins it."""

    id: Identifier
    traits: dict[str, Any] | None = None
    user_id: Identifier | None = None
    sent_at: SentAt = None


class IdentifyCompanyAnswer(Answer):
    """The company's ids and instants, and whether this call created it; no stored traits (§2)."""

    id: UUID
    company_id: str
    created: bool
    created_at: str
    updated_at: str
    warnings: tuple[str, ...] = ()


def identify_company(work: Work, call: IdentifyCompanyCall) -> IdentifyCompanyAnswer:
    """Create or change a company, and move a user into it; nobody's ``last_seen`` is bumped.

    Changed traits write a signal about the company, a move one about the contact (contract §2).
    Raises 400 for traits that are refused, 404 for an unknown ``user_id``; nothing is written then.
    """
    return only(IdentifyCompanyAnswer, _identify_all(work, [call]))


def _identify_all(work: Work, calls: Sequence[IdentifyCompanyCall]) -> list[Outcome]:
    outcomes = Outcomes(len(calls))
    accounts: dict[int, GivenCompany] = {}
    warnings: dict[int, Sequence[str]] = {}
    for ordinal, call in enumerate(calls):
        with outcomes.of(ordinal):
            traits = split_company_traits(call.traits, work.org.zone)
            taken, warnings[ordinal] = without_stripes(work.org, traits)
            sent_at = sending_time(work.org, call.sent_at)
            accounts[ordinal] = GivenCompany(call.id, taken, call.user_id, sent_at)
    ordinals = list(accounts)
    written = write_companies(work, list(accounts.values())) if accounts else []
    by_ordinal = {ordinals[each.ordinal]: each for each in written}
    for ordinal in ordinals:
        with outcomes.of(ordinal):
            company = by_ordinal.get(ordinal)
            outcomes[ordinal] = _answer(
                calls[ordinal], accounts[ordinal], company, warnings[ordinal]
            )
    return outcomes.all


def _answer(
    call: IdentifyCompanyCall,
    account: GivenCompany,
    company: WrittenCompany | None,
    warnings: Sequence[str],
) -> IdentifyCompanyAnswer:
    if company is None:
        raise not_found("contact", str(call.user_id))
    if company.oversize is not None:
        raise too_large("custom_fields", company.oversize)
    left_out = left_out_of(account.traits.custom, company.left_out)
    return IdentifyCompanyAnswer(
        id=company.id,
        company_id=call.id,
        created=company.created,
        created_at=format_instant(company.created_at),
        updated_at=format_instant(company.updated_at),
        warnings=(*warnings, *not_registered(left_out, "company.custom:")),
    )


def _subjects(call: IdentifyCompanyCall) -> Iterable[Subject]:
    yield about_company(call.id)
    if call.user_id is not None:
        yield about_user(call.user_id)


def _fields(call: IdentifyCompanyCall) -> Iterable[tuple[str, str]]:
    """Return the custom fields given; a contact's field of the same name is another one."""
    return (("company", name) for name in call.traits or () if name not in COMPANY_TRAITS)


IDENTIFY_COMPANY_SET: Final = SetForm(_identify_all, _subjects, fields=_fields)
