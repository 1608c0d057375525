"""What the demo shows: everything on it is read back from the database or the mail folder."""

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
from sqlalchemy import Connection, and_, case, func, select

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

_LATEST_MAILS = 4


@dataclass(frozen=True)
class Picture:
    """What the database says at one moment."""

    contacts: int
    companies: int
    waiting: int
    next_due: Any
    series: Sequence[Any]
    refusals: Sequence[Any]
    steps: Sequence[Any]
    mails: int

    @property
    def settled(self) -> bool:
        """Whether nothing waits and nobody has a step before them."""
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
    why = func.coalesce(rows.c.exit_reason, rows.c.reason, "")
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


def draw(picture: Picture, said: str, answered: int, refused: Sequence[str], mail: Path) -> Panel:
    """Draw the live display."""
    calls = Table.grid(padding=(0, 2))
    calls.add_row("calls answered", str(answered), "contacts", str(picture.contacts))
    calls.add_row("calls refused", str(len(refused)), "companies", str(picture.companies))
    calls.add_row("signals waiting", str(picture.waiting), "mails sent", str(picture.mails))
    calls.add_row("next row due", f"{picture.next_due:%H:%M:%S}" if picture.next_due else "none")
    latest = Table.grid(padding=(0, 2))
    for refusal in refused[-2:]:
        latest.add_row("[red]refused[/]", refusal)
    for path in newest_mails(mail):
        latest.add_row("[green]mail[/]", path)
    parts = (calls, series_table(picture), latest)
    return Panel(Group(*parts), title=f"halo-engine: {said}", height=32)


def series_table(picture: Picture) -> Table:
    """Return a table with a row for each series, and what became of those at its door."""
    table = Table(box=SIMPLE_HEAD, expand=True, pad_edge=False)
    for column in ("series", "status", "entered", "now in"):
        table.add_column(column, no_wrap=True)
    table.add_column("refused", ratio=1)
    table.add_column("steps", ratio=1)
    for row in picture.series:
        refused = [
            f"{each.contacts} {each.code}" for each in picture.refusals if each.key == row.key
        ]
        steps = [
            f"{each.rows} {each.status}{f' ({each.why})' if each.why else ''}"
            for each in picture.steps
            if each.key == row.key
        ]
        table.add_row(
            f"{row.key}\n[dim]{row.entry_trigger}[/]",
            row.status,
            str(row.entered),
            str(row.active),
            "\n".join(refused),
            "\n".join(steps),
        )
    return table


def newest_mails(folder: Path) -> list[str]:
    """Return the subjects of the mails that were written last."""
    paths = sorted(folder.glob("*.eml"), key=lambda path: path.stat().st_mtime)[-_LATEST_MAILS:]
    return [subject_of(path) for path in paths]


def subject_of(path: Path) -> str:
    """Return what a mail file says of itself: to whom, and its subject."""
    message = message_from_bytes(path.read_bytes(), policy=default)
    return f"{message['To']}: {message['Subject']}"
