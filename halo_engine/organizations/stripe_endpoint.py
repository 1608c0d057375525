"""Where Stripe sends an organisation's webhooks: the secrets that sign them (contract §12).

Two are in force while one replaces the other.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Select, select

from halo_engine.domain.errors import conflict, shown
from halo_engine.domain.values import is_storable_text
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations

_SECRET: Final = "stripe_endpoint_secret"
_OLD: Final = "old_stripe_endpoint_secret"


class StripeEndpoint(NamedTuple):
    """An organisation, and the secrets by which Stripe signs what it sends to it."""

    org_id: UUID
    secret: str | None
    old_secret: str | None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Those in force."""
        return tuple(each for each in (self.secret, self.old_secret) if each is not None)


def endpoint_of(connection: Connection, org_key: str) -> StripeEndpoint | None:
    """Return the endpoint of the organisation ``org_key``; None where there is no such one."""
    if not is_storable_text(org_key):
        return None
    row = connection.execute(_read_endpoint(org_key)).one_or_none()
    return StripeEndpoint(*row) if row else None


@statement("read_stripe_endpoint")
def _read_endpoint(org_key: str) -> Select[Any]:
    table = organizations
    return select(table.c.id, table.c[_SECRET], table.c[_OLD]).where(table.c.key == org_key)


def with_secret_before(
    connection: Connection, org_key: str, values: Mapping[str, Any]
) -> Mapping[str, str | None]:
    """Return the old secret as it is after ``values`` change the present one.

    The present one becomes the old one, unless ``values`` revoke the old one. Without a new one
    neither is in force. Raises a 409 where the old one is in force still.
    """
    if _SECRET not in values:
        return {}
    held = connection.execute(_read_endpoint(org_key).with_for_update()).one_or_none()
    endpoint = StripeEndpoint(*held) if held else None
    if values[_SECRET] is None:
        return {_OLD: None}
    if endpoint is None or _OLD in values or endpoint.secret in (None, values[_SECRET]):
        return {}
    if endpoint.old_secret is not None:
        problem = f"The Stripe secret before this one of {shown(org_key)} is in force still"
        raise conflict("old_stripe_secret_works", f"{problem}; revoke it first.")
    return {_OLD: endpoint.secret}
