"""The demo's display: everything on it is read from the database or the mail folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from sqlalchemy import Connection, and_, case, func, select, text

from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    automations,
    companies,
    end_users,
    enrollment_refusals,
    messages,
    signals,
)
from halo_engine.tables.enrollments import IS_ACTIVE

_LATEST_MAILS = 3

#: A signal is deleted once it is handled; the server counts deleted rows.
_HANDLED = text("SELECT n_tup_del FROM pg_stat_user_tables WHERE relname = 'signals'")


@dataclass(frozen=True)
class Picture:
    """The state of the database at one moment."""

    contacts: int
    companies: int
    waiting: int
    handled: int
    moved_on: int
    next_due: Any
    series: Sequence[Any]
    refusals: Sequence[Any]
    steps: Sequence[Any]
    mails: int

    @property
    def settled(self) -> bool:
        """Whether nothing waits and no run is under way."""
        return self.waiting == 0 and all(row.active == 0 for row in self.series)


def take_picture(connection: Connection) -> Picture:
    """Read everything that the demo shows."""
    runs, rows = automation_enrollments, automation_recipients
    in_series = and_(
        runs.c.org_id == automations.c.org_id, runs.c.automation_id == automations.c.id
    )
    series = connection.execute(
        select(
            automations.c.key,
            automations.c.entry_trigger,
            automations.c.status,
            func.count(runs.c.id).label("entered"),
            func.count(case((runs.c.ended_at.is_(None), runs.c.id))).label("active"),
        )
        .select_from(automations.outerjoin(runs, in_series))
        .group_by(automations.c.id, automations.c.org_id)
        .order_by(automations.c.key)
    ).all()
    refusals = connection.execute(
        select(automations.c.key, enrollment_refusals.c.code, func.count().label("contacts"))
        .join(automations, automations.c.id == enrollment_refusals.c.automation_id)
        .group_by(automations.c.key, enrollment_refusals.c.code)
        .order_by(automations.c.key)
    ).all()
    why = func.coalesce(rows.c.reason, func.nullif(rows.c.exit_reason, "completed"), "")
    steps = connection.execute(
        select(automations.c.key, rows.c.status, why.label("why"), func.count().label("rows"))
        .join(automations, automations.c.id == rows.c.automation_id)
        .group_by(automations.c.key, rows.c.status, why)
        .order_by(automations.c.key, rows.c.status, why)
    ).all()
    return Picture(
        contacts=_count(connection, end_users),
        companies=_count(connection, companies),
        waiting=_count(connection, signals),
        handled=connection.execute(_HANDLED).scalar() or 0,
        moved_on=sum(row.rows for row in steps if row.status not in ("pending", "processing")),
        next_due=connection.execute(
            select(func.min(rows.c.scheduled_for)).where(IS_ACTIVE)
        ).scalar(),
        series=series,
        refusals=refusals,
        steps=steps,
        mails=connection.execute(
            select(func.count()).select_from(messages).where(messages.c.state == "sent")
        ).scalar_one(),
    )


def _count(connection: Connection, table: Any) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def draw(
    picture: Picture, said: str, answered: int, refused: Sequence[str], mail: Path, height: int
) -> Panel:
    """Draw the live display, ``height`` lines high."""
    due = f"{picture.next_due:%H:%M:%S}" if picture.next_due else "none"
    counts = Table.grid(padding=(0, 2))
    counts.add_row("calls answered", str(answered), "signals handled", str(picture.handled))
    counts.add_row("calls refused", str(len(refused)), "signals waiting", str(picture.waiting))
    counts.add_row("contacts", str(picture.contacts), "rows moved on", str(picture.moved_on))
    counts.add_row("mails sent", str(picture.mails), "next row due", due)
    latest = Table.grid(padding=(0, 2))
    latest.add_column(no_wrap=True, min_width=7)
    latest.add_column(no_wrap=True, overflow="ellipsis")
    for refusal in refused[-2:]:
        latest.add_row("[red]refused[/]", refusal)
    for subject in newest_mails(mail):
        latest.add_row("[green]mail[/]", subject)
    parts = (counts, latest, series_table(picture))
    return Panel(Group(*parts), title=f"halo-engine: {said}", height=height)


def series_table(picture: Picture) -> Table:
    """Return a table with a row for each series: its runs by status, and refusals by reason."""
    table = Table(box=SIMPLE_HEAD, expand=True, pad_edge=False)
    for column in ("series", "status", "entered", "in it"):
        table.add_column(column, no_wrap=True)
    table.add_column("refused", ratio=2, overflow="fold")
    table.add_column("steps", ratio=3, overflow="fold")
    for row in picture.series:
        refused = [
            f"{each.contacts} {each.code}" for each in picture.refusals if each.key == row.key
        ]
        steps = [
            f"{each.rows} {each.why or each.status}"
            for each in picture.steps
            if each.key == row.key
        ]
        table.add_row(
            row.key,
            row.status,
            str(row.entered),
            str(row.active),
            ", ".join(refused),
            ", ".join(steps),
        )
    return table


def newest_mails(folder: Path) -> list[str]:
    """Return the subjects of the mails that were written last."""
    paths = sorted(folder.glob("*.eml"), key=lambda path: path.stat().st_mtime)[-_LATEST_MAILS:]
    return [subject_of(path) for path in paths]


def subject_of(path: Path) -> str:
    """Return a mail file's recipient and subject."""
    message = message_from_bytes(path.read_bytes(), policy=default)
    return f"{message['To']}: {message['Subject']}"
