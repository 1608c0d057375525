"""Setting the sandbox for the doors' tests: an organisation, its contacts, and what was written."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import (
    ARRAY,
    Boolean,
    Connection,
    Engine,
    Integer,
    Table,
    Text,
    Uuid,
    any_,
    cast,
    column,
    event,
    exists,
    func,
    insert,
    select,
    table,
)

from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import Refusal, validated
from halo_engine.opening import open_work
from halo_engine.sql.metadata import arrivals
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    automation_steps,
    automations,
    end_users,
    messages,
    organizations,
    signals,
)
from halo_engine.work import OrgRef, Transact, Work

NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
EARLIER = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)

_numbers = count(1)

_Result = TypeVar("_Result")


def new_organization(connection: Connection, now: datetime = NOW, **settings: Any) -> Work:
    """Make an organisation that no other test uses, and open its work at ``now``."""
    name = f"org-{next(_numbers)}-{datetime.now(UTC).timestamp()}"
    made = insert(organizations).values(
        key=name, name=name, widget_key=name, created_at=now, reevaluated_at=now, **settings
    )
    org_id: UUID = connection.execute(made.returning(organizations.c.id)).scalar_one()
    return open_work(connection, OrgRef(id=org_id), now)


def committed_organization(database: Engine, *user_ids: str) -> OrgRef:
    """Commit an organisation with these users: for tests with several transactions."""
    with database.begin() as connection:
        work = new_organization(connection)
        for user_id in user_ids:
            add_contact(work, user_id)
    return OrgRef(id=work.org_id)


def committing(database: Engine, org: OrgRef) -> Transact:
    """Return what runs each action in a transaction of its own."""

    def transact(action: Callable[[Work], _Result]) -> _Result:
        return run_in_transaction(
            database, lambda connection: action(open_work(connection, org, NOW))
        )

    return transact


def add_contact(work: Work, user_id: str | None, **values: Any) -> UUID:
    """Write a contact that was last seen a month ago; return its id."""
    row = {
        "org_id": work.org_id,
        "external_id": user_id,
        "source": "sdk",
        **dict.fromkeys(("created_at", "updated_at", "first_seen", "last_seen"), EARLIER),
        **values,
    }
    made = insert(end_users).values(row).returning(end_users.c.id)
    contact_id: UUID = work.connection.execute(made).scalar_one()
    return contact_id


def add_series(work: Work, key: str, *steps: str, **values: Any) -> UUID:
    """Write an active series of emails, a step for each key; return its id."""
    row = {
        "org_id": work.org_id,
        "key": key,
        "name": key,
        "kind": "transactional",
        "status": "active",
        "entry_trigger": "manual",
        "audience_type": "all",
        "contact_type": "both",
        "audience_filters": [],
        "settings": {},
        **dict.fromkeys(("created_at", "updated_at", "activated_at"), EARLIER),
        **values,
    }
    made = insert(automations).values(row)
    series_id: UUID = work.connection.execute(made.returning(automations.c.id)).scalar_one()
    for position, step in enumerate(steps):
        add_step(work, series_id, step, position)
    return series_id


def add_step(work: Work, series_id: UUID, key: str, position: int, **values: Any) -> None:
    """Write an email step at a position of the series."""
    row = {
        "org_id": work.org_id,
        "automation_id": series_id,
        "key": key,
        "position": position,
        "delay_seconds": 0,
        "email": {"subject": key, "body": key},
        **values,
    }
    work.connection.execute(insert(automation_steps).values(row))


def add_run(work: Work, contact_id: UUID, series_id: UUID, **values: Any) -> None:
    """Enroll a contact a month ago, and let it stand at the first step."""
    row = {
        "org_id": work.org_id,
        "automation_id": series_id,
        "end_user_id": contact_id,
        "created_at": EARLIER,
    }
    work.connection.execute(insert(automation_enrollments).values({**row, "number": 1, **values}))
    first = select(automation_steps.c.id).where(automation_steps.c.automation_id == series_id)
    first = first.order_by(automation_steps.c.position).limit(1)
    step_id = work.connection.execute(first).scalar_one()
    at = {"step_id": step_id, "enrollment_number": 1, "scheduled_for": EARLIER}
    work.connection.execute(insert(automation_recipients).values(**row, **at))


def add_message(
    work: Work, contact_id: UUID, series_id: UUID, step: str, run: int = 1, **values: Any
) -> int:
    """Write a mail of the step that was sent a month ago; return its recipient's id."""
    is_step = (automation_steps.c.automation_id == series_id, automation_steps.c.key == step)
    step_id = select(func.max(cast(automation_steps.c.id, Text))).where(*is_step).scalar_subquery()
    row = {
        "org_id": work.org_id,
        "recipient_id": arrivals.next_value(),
        "end_user_id": contact_id,
        "automation_id": series_id,
        "enrollment_number": run,
        "step_id": cast(step_id, Uuid),
        "state": "sent",
        "message_id": f"<{next(_numbers)}@halo>",
        "to_address": "ann@a.example",
        "intended_at": EARLIER,
        "sent_at": EARLIER,
        **values,
    }
    made = insert(messages).values(row).returning(messages.c.recipient_id)
    recipient_id: int = work.connection.execute(made).scalar_one()
    return recipient_id


def rows(work: Work, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    """Return these columns of the organisation's rows in ``table``, in the order of its key."""
    found = select(*[table.c[name] for name in columns])
    found = found.where(table.c.org_id == work.org_id).order_by(*table.primary_key.columns)
    return [tuple(row) for row in work.connection.execute(found)]


def written_signals(work: Work) -> list[tuple[Any, ...]]:
    """Return the organisation's signals in order of arrival: kind, contact, what changed."""
    return rows(work, signals, "kind", "end_user_id", "changed")


def last_seen(work: Work, contact_id: UUID) -> datetime:
    """Return when the contact was last seen."""
    found = select(end_users.c.last_seen).where(
        end_users.c.org_id == work.org_id, end_users.c.id == contact_id
    )
    instant: datetime = work.connection.execute(found).scalar_one()
    return instant


def refused(model: type[BaseModel], data: object, where: str) -> tuple[int, str, str]:
    """Return status, code and message of the refusal that ``data`` meets as a call."""
    try:
        validated(model, data, where)
    except Refusal as refusal:
        return refusal.status, refusal.code, refusal.message
    raise AssertionError(f"{data} was not refused")


def overtaken(
    database: Engine, org: OrgRef, first: Callable[[Work], object], second: Callable[[Work], object]
) -> None:
    """Let ``first`` write, and ``second`` run until it waits for that; only then commit both."""
    while_open(database, org, first, lambda: committing(database, org)(second))


def while_open(
    database: Engine,
    org: OrgRef,
    first: Callable[[Work], object],
    call: Callable[[], _Result],
    *,
    meanwhile: Callable[[], object] = lambda: None,
    now: datetime = NOW,
) -> _Result:
    """Let ``first`` write, and commit it when ``call`` waits for that, after what happens
    ``meanwhile``; return what the call answers.
    """
    locks = table("pg_locks", column("pid", Integer), column("granted", Boolean))
    with (
        ThreadPoolExecutor(1) as pool,
        database.connect() as one,
        database.connect() as watcher,
    ):
        first(open_work(one, org, now))
        pid = one.execute(select(func.pg_backend_pid())).scalar_one()
        running = pool.submit(call)
        blocking = func.pg_blocking_pids(locks.c.pid, type_=ARRAY(Integer))
        is_waited_for = select(exists().where(~locks.c.granted, pid == any_(blocking)))
        while not watcher.execute(is_waited_for).scalar_one():
            assert not running.done(), "the second did not wait"
        meanwhile()
        one.commit()
        return running.result()


@contextmanager
def statements(connection: Connection | Engine) -> Iterator[list[str]]:
    """Collect the statements that are executed on the connection, or by the engine.

    A table is analyzed once, when it has grown: which test does that depends on those before it.
    """
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("ANALYZE"):
            seen.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(connection, "before_cursor_execute", note)
