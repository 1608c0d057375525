"""Create organisations, change their settings, and read them back (contract §1, §2).

These statements do not belong to one organisation's work: they run on a plain connection.
"""

import secrets
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationInfo
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.cron import parse_cron
from halo_engine.domain.errors import bad_input, conflict, not_found, shown
from halo_engine.domain.instants import format_instant, parse_zone
from halo_engine.domain.series import check_key
from halo_engine.domain.values import check_text
from halo_engine.tables import organizations

#: In bytes; with a shorter secret no token is accepted (RFC 7518: as many as the hash has).
SHORTEST_SECRET: Final = 32


def _zone(value: object) -> str:
    return parse_zone(value).key


def _cron(value: object) -> str:
    return parse_cron(value)


def _text(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        check_text(value, str(info.field_name))
    return value


def _secret(value: object) -> object:
    if isinstance(value, str) and len(value.encode()) < SHORTEST_SECRET:
        problem = f"is too short; allowed are {SHORTEST_SECRET} bytes or more"
        raise bad_input("identity_secret", problem, "bad_secret")
    return value


_Text = Annotated[str, Field(min_length=1, max_length=1000), BeforeValidator(_text)]
_Instant = Annotated[datetime, PlainSerializer(format_instant, return_type=str, when_used="json")]


class OrganizationSettings(BaseModel):
    """What an organisation can set (contract §1, §2, §8); raises a 400 for what is not sound.

    ``identity_secret`` switches identity verification on; null switches it off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Text | None = None
    timezone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    identity_secret: Annotated[_Text | None, BeforeValidator(_secret)] = None
    mrr_mode: Literal["manual", "stripe"] = "manual"
    stripe_connected: bool = False
    verified_domain: bool = False
    company_footer: _Text | None = None
    reevaluate_cron: Annotated[str, BeforeValidator(_cron)] = "*/15 * * * *"


class OrganizationAnswer(OrganizationSettings):
    """An organisation as it is stored; ``widget_key`` is what applications call it by."""

    id: UUID
    key: str
    widget_key: str
    created_at: _Instant
    reevaluated_at: _Instant


def new_secret() -> str:
    """Return a new random secret for signing user tokens."""
    return secrets.token_urlsafe(SHORTEST_SECRET)


def create_organization(
    connection: Connection, key: str, settings: OrganizationSettings
) -> OrganizationAnswer:
    """Make an organisation with a new widget key; a 409 when there is one of that key."""
    values = {
        **settings.model_dump(),
        "key": check_key(key),
        "name": settings.name or key,
        "widget_key": f"ab_live_{secrets.token_urlsafe(18)}",
        "created_at": func.now(),
        "reevaluated_at": func.now(),
    }
    made = insert(organizations).values(values).on_conflict_do_nothing(index_elements=["key"])
    if connection.scalar(made.returning(organizations.c.id)) is None:
        raise conflict("organisation_exists", f"There is an organisation {shown(key)} already.")
    return find_organization(connection, key)


def change_organization(
    connection: Connection, key: str, settings: OrganizationSettings
) -> OrganizationAnswer:
    """Change the settings that were given, and leave the others; a 404 when there is no ``key``."""
    values = settings.model_dump(exclude_unset=True)
    if values:
        connection.execute(update(organizations).where(organizations.c.key == key).values(values))
    return find_organization(connection, key)


def find_organization(connection: Connection, key: str) -> OrganizationAnswer:
    """Return the organisation ``key``; a 404 when there is none."""
    found = _read(connection, organizations.c.key == key)
    if not found:
        raise not_found("organisation", key)
    return found[0]


def all_organizations(connection: Connection) -> list[OrganizationAnswer]:
    """Return every organisation, by key."""
    return _read(connection)


def _read(connection: Connection, *conditions: Any) -> list[OrganizationAnswer]:
    columns = [organizations.c[name] for name in OrganizationAnswer.model_fields]
    rows = connection.execute(select(*columns).where(*conditions).order_by(organizations.c.key))
    # Not validated again: that was done when it was written.
    return [OrganizationAnswer.model_construct(**row) for row in rows.mappings()]
