"""The contacts in one bucket of a series' ledger (contract §10)."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, func, not_

from halo_engine.answers.codes import ACTIVE, CODES, coded
from halo_engine.answers.joins import has_values
from halo_engine.answers.reports.contact_list import (
    ContactPage,
    newest_contacts,
    page_of,
)
from halo_engine.domain.answer import PAGE
from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.enrollment.guards import is_matched
from halo_engine.sql.statements import statement
from halo_engine.sql.statistics import analyze_unknown
from halo_engine.tables import end_users
from halo_engine.work import Work

#: The contacts that stand beside the ledger: active or held, but no longer matched.
ACTIVE_OUTSIDE: Final = "active_outside"
HELD_OUTSIDE: Final = "held_outside"
#: Who waits for data and does not match yet (§23).
WAITING_OUTSIDE: Final = "waiting_outside"
BESIDE: Final = {
    ACTIVE_OUTSIDE: ACTIVE,
    HELD_OUTSIDE: ReasonCode.SURGE_HELD.value,
    WAITING_OUTSIDE: ReasonCode.WAITING_FOR_DATA.value,
}


def bucket(
    work: Work, series: Series, code: str, *, after: UUID | None = None, size: int = PAGE
) -> ContactPage:
    """Return a page of the contacts that the ledger of ``series`` counts under ``code``.

    Newest first. ``code`` is ``active``, a reason code, ``active_outside``, ``held_outside`` or
    ``waiting_outside``; raises 400 for another.
    """
    if code not in (*CODES, *BESIDE):
        allowed = ", ".join((*CODES, *BESIDE))
        raise bad_input("code", f"{shown(code)} is no bucket; allowed are {allowed}")
    analyze_unknown(work.connection)
    return page_of(work, _page_bucket(work, series, code, after, size + 1), size)


@statement("page_bucket", code=ACTIVE)
def _page_bucket(
    work: Work, series: Series, code: str, after: UUID | None, limit: int
) -> Select[Any]:
    found, contact = coded(work, series), end_users.alias("contact")
    matched = func.coalesce(is_matched(found), False)
    is_in = and_(found.c.code == code, matched)
    if code in BESIDE:
        is_in = and_(found.c.code == BESIDE[code], not_(matched))
    return newest_contacts(
        work,
        contact,
        [is_in],
        among=found.join(contact, has_values(contact, work.org_id, id=found.c.end_user_id)),
        after=after,
        limit=limit,
    )
