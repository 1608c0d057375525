"""Create organisations, change their settings, and read them back (contract §1, §2).

These statements do not belong to one organisation's work: they run on a plain connection.
"""

import secrets
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection, Executable, Select, Update, func, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from halo_engine.domain.errors import conflict, not_found, shown
from halo_engine.domain.series.definition import check_key
from halo_engine.domain.times.frequency import parsed_caps
from halo_engine.domain.times.quiet_hours import parsed_quiet_hours
from halo_engine.domain.times.retention import parsed_keeps
from halo_engine.organizations.settings import (
    ChangeOrganizationCall,
    OrganizationAnswer,
    OrganizationSettings,
)
from halo_engine.organizations.stripe_endpoint import with_secret_before
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations


def new_widget_key() -> str:
    """Return a new random widget key."""
    return f"ab_live_{secrets.token_urlsafe(18)}"


def create_organization(
    connection: Connection, key: str, settings: OrganizationSettings
) -> OrganizationAnswer:
    """Make an organisation with a new widget key; a 409 when there is one of that key."""
    if connection.scalar(_create_org(key, settings, new_widget_key())) is None:
        raise conflict("organisation_exists", f"There is an organisation {shown(key)} already.")
    return find_organization(connection, key)


@statement("create_org", settings=OrganizationSettings())
def _create_org(org_key: str, settings: OrganizationSettings, widget_key: str) -> Executable:
    values = {
        **settings.model_dump(),
        "key": check_key(org_key),
        "name": settings.name or org_key,
        "widget_key": widget_key,
        "created_at": func.now(),
        "reevaluated_at": func.now(),
    }
    made = insert(organizations).values(values).on_conflict_do_nothing(index_elements=["key"])
    return made.returning(organizations.c.id)


def change_organization(
    connection: Connection, key: str, settings: OrganizationSettings
) -> OrganizationAnswer:
    """Change the settings that were given, and leave the others.

    Raises 404 when there is no ``key``, and 409 where a third endpoint secret would come into use.
    """
    if isinstance(settings, ChangeOrganizationCall):
        settings.check_beside(lambda: find_organization(connection, key))
    values = settings.model_dump(exclude_unset=True)
    values |= with_secret_before(connection, key, values)
    if "timezone" in values:
        # Dates without a zone mean other instants: the next pass looks at everybody.
        values["passed_fully_at"] = None
    if "keeps" in values:
        values["keeps"] = organizations.c.keeps.op("||")(literal(values["keeps"], JSONB()))
    if values:
        connection.execute(_change_org(key, values))
    return find_organization(connection, key)


@statement("change_org", values={"name": "Halo"})
def _change_org(org_key: str, values: Mapping[str, object]) -> Update:
    return update(organizations).where(organizations.c.key == org_key).values(values)


def find_organization(connection: Connection, key: str) -> OrganizationAnswer:
    """Return the organisation ``key``; a 404 when there is none."""
    found = _read(connection, organizations.c.key == key)
    if not found:
        raise not_found("organisation", key)
    return found[0]


def settings_of(connection: Connection, org_id: UUID) -> dict[str, JsonValue]:
    """Return an organisation's settings and widget keys as they are stored, secrets too."""
    return dict(connection.execute(_read_settings(org_id)).mappings().one())


@statement("read_settings")
def _read_settings(org_id: UUID) -> Select[Any]:
    table = organizations
    names = (
        *OrganizationSettings.model_fields,
        *("widget_key", "old_widget_key", "old_stripe_endpoint_secret"),
    )
    return select(*[table.c[name] for name in names]).where(table.c.id == org_id)


def all_organizations(connection: Connection) -> list[OrganizationAnswer]:
    """Return every organisation, by key."""
    return _read(connection)


def _read(connection: Connection, *conditions: Any) -> list[OrganizationAnswer]:
    rows = connection.execute(_read_orgs(conditions))
    # Not validated again: that was done when it was written.
    return [
        OrganizationAnswer.model_construct(
            **{
                **row,
                "quiet_hours": parsed_quiet_hours(row["quiet_hours"]),
                "frequency_caps": parsed_caps(row["frequency_caps"]) or None,
                "keeps": parsed_keeps(row["keeps"]),
            }
        )
        for row in rows.mappings()
    ]


@statement("read_orgs")
def _read_orgs(conditions: tuple[Any, ...]) -> Select[Any]:
    columns = [organizations.c[name] for name in OrganizationAnswer.model_fields]
    return select(*columns).where(*conditions).order_by(organizations.c.key)
