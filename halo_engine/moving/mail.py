"""Hold an organisation's mail back for the switch, and wait for what is under way.

A mail whose intent is committed in one database and whose outcome comes in the other would be of
unknown outcome. So sending is stopped a moment before, as an operator stops it; a stop by an
operator stays as it is.
"""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Connection,
    Select,
    Update,
    exists,
    func,
    literal_column,
    select,
    update,
)

from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import conflict
from halo_engine.moving.places import Place
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_recipients,
    confirmations,
    installation,
    messages,
    organizations,
    webhook_deliveries,
)
from halo_engine.tables.enrollments import IS_ACTIVE, IS_PROCESSING

_PAUSE_SECONDS: Final = 0.1
#: A retry of failed mail has no lease; one without an outcome for longer is of a dead process.
_LONGEST_RETRY: Final = timedelta(minutes=10)


def _who(cell: str) -> str:
    return f"move to cell {cell}"


def hold_mail(place: Place, org_id: UUID, cell: str) -> None:
    """Stop the organisation's mail, unless it is stopped."""
    run_in_transaction(
        place.database, lambda connection: connection.execute(_hold_mail(org_id, _who(cell)))
    )


@statement("hold_mail")
def _hold_mail(org_id: UUID, by: str) -> Update:
    table = organizations
    return (
        update(table)
        .where(table.c.id == org_id, table.c.sending_stopped_at.is_(None))
        .values(sending_stopped_at=func.now(), sending_stopped_by=by)
    )


def let_mail_go(place: Place, org_id: UUID, cell: str) -> None:
    """Take back the stop for the switch, and no other."""
    run_in_transaction(
        place.database, lambda connection: connection.execute(_let_mail_go(org_id, _who(cell)))
    )


@statement("let_mail_go")
def _let_mail_go(org_id: UUID, by: str) -> Update:
    table = organizations
    return (
        update(table)
        .where(table.c.id == org_id, table.c.sending_stopped_by == by)
        .values(sending_stopped_at=None, sending_stopped_by=None)
    )


def with_mail_going(organization: Mapping[str, Any], cell: str) -> dict[str, Any]:
    """Return the organisation's row without the stop for the switch."""
    if organization["sending_stopped_by"] != _who(cell):
        return dict(organization)
    return {**organization, "sending_stopped_at": None, "sending_stopped_by": None}


def wait_for_mail(place: Place, org_id: UUID, longest: timedelta) -> None:
    """Wait until no mail is under way that could still have an outcome here.

    A lease that has expired is nobody's: the other cell settles it, as this one would. Raises a 409
    if mail is under way for ``longest``; the caller lets it go.
    """
    until = time.monotonic() + longest.total_seconds()
    while True:
        with place.transaction() as connection:
            under_way = mail_under_way(connection, org_id)
        if not under_way:
            return
        if time.monotonic() > until:
            raise conflict(
                "mail_under_way",
                f"{under_way} emails are under way, and their outcomes have not come for"
                f" {longest.total_seconds():.0f} s. Nothing was switched, and mail goes on. Allowed"
                " is to run the command again.",
            )
        time.sleep(_PAUSE_SECONDS)


def mail_under_way(connection: Connection, org_id: UUID) -> int:
    """Return how many emails a worker may be sending; 1 at least while mail is not stopped."""
    return int(connection.execute(_count_under_way(org_id)).scalar_one())


@statement("count_mail_under_way")
def _count_under_way(org_id: UUID) -> Select[Any]:
    rows, asking, mails, org = automation_recipients, confirmations, messages, organizations
    clock = func.clock_timestamp()

    def count(table: Any, *conditions: Any) -> Any:
        counted = select(func.count()).select_from(table)
        return counted.where(table.c.org_id == org_id, *conditions).scalar_subquery()

    has_row = exists().where(
        rows.c.org_id == mails.c.org_id, rows.c.id == mails.c.recipient_id, IS_ACTIVE
    )
    goes = select(func.count()).where(
        org.c.id == org_id,
        org.c.sending_stopped_at.is_(None),
        ~exists().where(installation.c.sending_stopped_at.is_not(None)),
    )
    return select(
        goes.scalar_subquery()
        + count(rows, IS_PROCESSING, rows.c.lease_expires_at > clock)
        + count(asking, asking.c.state == "intended", asking.c.due_at > clock)
        + count(
            mails,
            mails.c.state == literal_column("'intended'"),
            mails.c.intended_at > clock - _LONGEST_RETRY,
            ~has_row,
        )
    )


def webhooks_under_way(connection: Connection, org_id: UUID) -> int:
    """Return how many webhooks a worker may be sending."""
    return int(connection.execute(_count_webhooks_under_way(org_id)).scalar_one())


@statement("count_webhooks_under_way")
def _count_webhooks_under_way(org_id: UUID) -> Select[Any]:
    table = webhook_deliveries
    return select(func.count()).where(
        table.c.org_id == org_id,
        table.c.state == literal_column("'waiting'"),
        table.c.lease_expires_at > func.clock_timestamp(),
    )
