"""What keeps an organisation from moving."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Select, or_, select

from halo_engine import migrate
from halo_engine.domain.errors import conflict
from halo_engine.moving.counting import clock
from halo_engine.moving.ledger import MOVED, Mover, move_of
from halo_engine.moving.places import Place
from halo_engine.sql.statements import statement
from halo_engine.tables import installation, organizations

#: Clocks of two servers may differ by so much; calls would wait for it at the switch.
_MOST_APART: Final = timedelta(seconds=1)


def check_places(source: Place, target: Place) -> None:
    """Raise a 409 if the schemas, the accounts or the clocks of the two databases do not allow a
    move.
    """
    head = migrate.head_revision()
    for place in (source, target):
        with place.transaction() as connection:
            found = migrate.revision_of(connection)
        if found != head:
            raise conflict(
                "schema_differs",
                f"Cell {place.name}: its schema is at {found or 'nothing'}, and this code moves"
                f" organisations at {head}. Allowed are two cells at {head}: run `halo migrate`"
                " there, or the version that made it.",
            )
        with place.transaction(as_replica=True):
            pass
    with source.transaction() as here, target.transaction() as there:
        apart = abs(clock(there) - clock(here))
    if apart > _MOST_APART:
        raise conflict(
            "clocks_differ",
            f"The clocks of cells {source.name} and {target.name} are"
            f" {apart.total_seconds():.1f} s apart. Allowed is"
            f" {_MOST_APART.total_seconds():.0f} s.",
        )


def check_organization(source: Place, target: Place, mover: Mover) -> None:
    """Raise a 409 if the organisation cannot come to the target."""
    with source.transaction() as connection:
        own = dict(connection.execute(_read_names(mover.id)).mappings().one())
        stopped = connection.scalar(_read_stop())
    with target.transaction() as connection:
        move = move_of(connection, mover.id)
        taken = _who_has(connection, own)
        stopped_there = connection.scalar(_read_stop())
    if taken == mover.id:
        raise already_there(mover.key, target.name)
    if taken is not None:
        raise conflict(
            "organisation_exists",
            f"Cell {target.name} has another organisation with the key {mover.key!r} or its widget"
            " key. Allowed is a cell where both are free.",
        )
    if move is not None and move.state == MOVED and move.finished_at is None:
        raise conflict(
            "move_under_way",
            f"Cell {target.name}: the move from there is not finished. Allowed is to finish it"
            f" first: halo org move {mover.key} --to {move.cell}.",
        )
    if stopped and not stopped_there and own["sending_stopped_at"] is None:
        raise conflict(
            "all_mail_is_stopped",
            f"All mail of cell {source.name} is stopped, and that of cell {target.name} is not: the"
            " organisation's mail would go out there. Allowed is to stop its own mail first"
            " (`halo sending stop --org`), or to start mail again.",
        )


def already_there(org_key: str, cell: str) -> Exception:
    """Return the refusal of a move to where the organisation is."""
    return conflict(
        "already_there", f"to: organisation {org_key!r} lives in cell {cell}. Allowed is another."
    )


def _who_has(connection: Connection, own: Mapping[str, Any]) -> UUID | None:
    found: UUID | None = connection.scalar(_find_names(own))
    return found


_NAMES: Final = ("id", "key", "widget_key", "old_widget_key")


@statement("read_names_of_mover")
def _read_names(org_id: UUID) -> Select[Any]:
    columns = [organizations.c[name] for name in (*_NAMES, "sending_stopped_at")]
    return select(*columns).where(organizations.c.id == org_id)


@statement("find_names_of_mover", own=dict.fromkeys(_NAMES))
def _find_names(own: Mapping[str, Any]) -> Select[Any]:
    table = organizations
    keys = [own[name] for name in ("widget_key", "old_widget_key") if own[name] is not None]
    return (
        select(table.c.id)
        .where(
            or_(
                table.c.id == own["id"],
                table.c.key == own["key"],
                table.c.widget_key.in_(keys),
                table.c.old_widget_key.in_(keys),
            )
        )
        .limit(1)
    )


@statement("read_stop_of_all")
def _read_stop() -> Select[Any]:
    return select(installation.c.sending_stopped_at.is_not(None))
