"""Widget keys: a new one, and the end of the one before (contract §12)."""

from sqlalchemy import Connection, Update, update

from halo_engine.domain.errors import conflict, shown
from halo_engine.organizations.settings import OrganizationAnswer
from halo_engine.organizations.storing import find_organization, new_widget_key
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations


def rotate_widget_key(connection: Connection, key: str) -> OrganizationAnswer:
    """Make a new widget key; the old one works too until it is revoked.

    Raises 404 when there is no ``key``, 409 while the one before the old one still works.
    """
    changed = connection.execute(_rotate_widget_key(key, new_widget_key())).rowcount
    found = find_organization(connection, key)
    if not changed:
        problem = f"The widget key before this one of {shown(key)} still works; revoke it first."
        raise conflict("old_widget_key_works", problem)
    return found


@statement("rotate_widget_key")
def _rotate_widget_key(org_key: str, widget_key: str) -> Update:
    table = organizations
    return (
        update(table)
        .where(table.c.key == org_key, table.c.old_widget_key.is_(None))
        .values(widget_key=widget_key, old_widget_key=table.c.widget_key)
    )


def revoke_old_widget_key(connection: Connection, key: str) -> OrganizationAnswer:
    """Revoke the widget key before the present one.

    Raises 404 when there is no ``key``, 409 when no such key works.
    """
    changed = connection.execute(_revoke_old_widget_key(key)).rowcount
    found = find_organization(connection, key)
    if not changed:
        problem = f"No old widget key of {shown(key)} works; there is nothing to revoke."
        raise conflict("no_old_widget_key", problem)
    return found


@statement("revoke_old_widget_key")
def _revoke_old_widget_key(org_key: str) -> Update:
    table = organizations
    revoked = update(table).where(table.c.key == org_key, table.c.old_widget_key.is_not(None))
    return revoked.values(old_widget_key=None)
