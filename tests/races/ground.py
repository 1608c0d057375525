"""The ground of a race: one organisation, written as in life, and copies of it for its rounds."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from sqlalchemy import Connection, column, func, insert, select, text, true

from halo_engine.opening import open_work
from halo_engine.series.lifecycle import activate
from halo_engine.series.save import parse_definition, save_series
from halo_engine.tables import companies, end_users, metadata, organizations, subscriptions
from halo_engine.work import OrgRef, Work

#: A user's custom fields by its name; ``company`` is the name of its company.
Users: TypeAlias = Mapping[str, Mapping[str, Any]]

_PLACE = text("""
    WITH placed AS MATERIALIZED (
        SELECT a.id AS series, s.id AS step, c.id AS contact, nextval('arrivals') AS id,
            CASE WHEN (a.settings->>'one_per_company')::boolean THEN c.company_id END AS seat
        FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS named (name, place)
        JOIN end_users c ON c.org_id = :org AND c.external_id = named.name
        JOIN automations a ON a.org_id = :org AND a.key = :series
        JOIN automation_steps s ON s.org_id = :org AND s.automation_id = a.id AND s.key = :step
        ORDER BY named.place),
    run AS (
        INSERT INTO automation_enrollments (org_id, id, automation_id, end_user_id, number,
            company_seat, created_at, ended_at, exit_reason)
        SELECT :org, id, series, contact, 1, seat, :now,
            CASE WHEN :ended THEN CAST(:now AS timestamptz) END, CASE WHEN :ended THEN 'manual' END
        FROM placed)
    INSERT INTO automation_recipients (org_id, automation_id, step_id, end_user_id,
        enrollment_number, status, exit_reason, scheduled_for, created_at, finished_at)
    SELECT :org, series, step, contact, 1, CASE WHEN :ended THEN 'exited' ELSE 'pending' END,
        CASE WHEN :ended THEN 'manual' END, :now, :now,
        CASE WHEN :ended THEN CAST(:now AS timestamptz) END
    FROM placed
""")


def users(*names: str, **fields: Any) -> Users:
    """Return users of these names with the same fields."""
    return dict.fromkeys(names, fields)


def lay_out(
    connection: Connection,
    people: Users,
    series: Mapping[str, Mapping[str, Any]],
    lists: Sequence[str],
    cron: str,
) -> UUID:
    """Write an organisation of long ago with users, lists and series; return its id.

    A series is active unless it says ``active: False``.
    """
    before, key = datetime.now(UTC) - timedelta(days=800), str(uuid4())
    made = insert(organizations).values(
        key=key,
        name=key,
        widget_key=key,
        created_at=before,
        reevaluated_at=before,
        reevaluate_cron=cron,
    )
    org_id: UUID = connection.execute(made.returning(organizations.c.id)).scalar_one()
    work = open_work(connection, OrgRef(id=org_id), None)
    for name in lists:
        connection.execute(insert(subscriptions).values(org_id=org_id, key=name, created_at=before))
    _write_users(work, before, people)
    for name, definition in series.items():
        written = {**definition}
        is_active = written.pop("active", True)
        save_series(work, name, parse_definition(name, written))
        if is_active:
            activate(work, name, "operator")
    return org_id


def place(
    connection: Connection,
    org_id: UUID,
    series: str,
    step: str,
    names: Sequence[str],
    *,
    ended: bool = False,
) -> None:
    """Put users at a step, due since a minute, entered in this order; or out of it again."""
    now = datetime.now(UTC) - timedelta(minutes=1)
    values = {"org": org_id, "series": series, "step": step, "names": list(names)}
    connection.execute(_PLACE, {**values, "ended": ended, "now": now})


def copy(connection: Connection, org_id: UUID, times: int) -> list[UUID]:
    """Copy the organisation with everything in it; return the ids of the copies.

    Ids within an organisation are its own, so the copies share them.
    """
    new = func.uuid7().label("id")
    copies = select(new).select_from(func.generate_series(1, times).alias("numbers")).cte("copies")
    one = organizations.alias("one")
    names = {"id": copies.c.id, **dict.fromkeys(("key", "widget_key"), func.text(copies.c.id))}
    written = {**{each.name: one.c[each.name] for each in organizations.c}, **names}
    statement = insert(organizations).from_select(
        list(written), select(*written.values()).select_from(one.join(copies, one.c.id == org_id))
    )
    ids = list(connection.scalars(statement.returning(organizations.c.id)))
    others = (
        func.unnest(ids)
        .table_valued(column("id", organizations.c.id.type), name="others")
        .render_derived()
    )
    for table in metadata.sorted_tables:
        if "org_id" not in table.c:
            continue
        columns = [each.name for each in table.c if each.computed is None]
        values = [others.c.id if name == "org_id" else table.c[name] for name in columns]
        rows = (
            select(*values).select_from(table.join(others, true())).where(table.c.org_id == org_id)
        )
        connection.execute(insert(table).from_select(columns, rows))
    return ids


def _write_users(work: Work, before: datetime, people: Users) -> None:
    if not people:
        return
    instants = dict.fromkeys(("created_at", "updated_at"), before)
    ids = {
        name: work.connection.execute(
            insert(companies)
            .values(org_id=work.org_id, external_id=name, **instants)
            .returning(companies.c.id)
        ).scalar_one()
        for name in sorted({each["company"] for each in people.values() if "company" in each})
    }
    instants |= dict.fromkeys(("first_seen", "last_seen"), before)
    rows = [
        {
            "org_id": work.org_id,
            "external_id": name,
            "email": each.get("email", f"{name}@a.example"),
            "source": "sdk",
            "custom_fields": {key: each[key] for key in each if key not in ("company", "email")},
            "company_id": ids.get(each.get("company")),
            **instants,
        }
        for name, each in people.items()
    ]
    work.connection.execute(insert(end_users), rows)
