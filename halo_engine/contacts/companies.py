"""Identifying companies: accounts that contacts belong to, at most one at a time (contract §2)."""

from typing import Any
from uuid import UUID

from halo_engine.contacts.bounds import too_large
from halo_engine.contacts.calls import Answer, Call, Identifier, SentAt
from halo_engine.contacts.company_rows import Account, write_companies
from halo_engine.contacts.registry import not_registered
from halo_engine.contacts.revenue import without_stripes
from halo_engine.contacts.sending import sending_time
from halo_engine.domain.errors import not_found
from halo_engine.domain.instants import format_instant
from halo_engine.domain.traits import split_company_traits
from halo_engine.work import Work


class IdentifyCompanyCall(Call):
    """A company by its external ID, traits to merge, and a user who belongs to it from now on."""

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

    Changed traits are told to series as one signal about the company, a move as one about the
    contact (contract §2). Raises 400 for traits that are refused, 404 for an unknown ``user_id``;
    nothing is written then.
    """
    traits, warnings = without_stripes(work.org, split_company_traits(call.traits, work.org.zone))
    sent_at = sending_time(work.org, call.sent_at)
    written = write_companies(work, [Account(call.id, traits, call.user_id)], sent_at=sent_at)
    if not written:
        raise not_found("contact", str(call.user_id))
    [company] = written
    if company.oversize is not None:
        raise too_large("custom_fields", company.oversize)
    return IdentifyCompanyAnswer(
        id=company.id,
        company_id=call.id,
        created=company.created,
        created_at=format_instant(company.created_at),
        updated_at=format_instant(company.updated_at),
        warnings=(*warnings, *not_registered(company.left_out, "company.custom:")),
    )
