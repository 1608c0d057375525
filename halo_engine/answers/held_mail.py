"""What holds an organisation's mail now: a stop by a person, or a mail server that is down (§9)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select, true

from halo_engine.domain.answer import Answer
from halo_engine.domain.phrases import on_the_clock
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
from halo_engine.tables import installation, organizations
from halo_engine.work import Work


class Stopped(Answer):
    """Who stopped the organisation's mail, or (``everywhere``) all mail, and when."""

    everywhere: bool
    since: Instant
    by: str


class MailServer(Answer):
    """Since when workers find the mail server down, and what it says."""

    down_since: Instant
    reason: str


@dataclass(frozen=True, slots=True)
class MailHolds:
    """All that holds an organisation's mail; a stop of all mail comes before its own."""

    stopped: tuple[Stopped, ...]
    mail_server: MailServer | None

    @property
    def any(self) -> bool:
        """Whether mail waits."""
        return bool(self.stopped) or self.mail_server is not None


def mail_holds(work: Work) -> MailHolds:
    """Return what holds the organisation's mail, in one statement."""
    found = work.connection.execute(_read_mail_holds(work)).one()
    stops = ((True, found.all_since, found.all_by), (False, found.its_since, found.its_by))
    server = None
    if found.down_since is not None:
        server = MailServer(down_since=found.down_since, reason=found.down_reason)
    return MailHolds(
        tuple(
            Stopped(everywhere=everywhere, since=since, by=by)
            for everywhere, since, by in stops
            if since is not None
        ),
        server,
    )


@statement("read_mail_holds")
def _read_mail_holds(work: Work) -> Select[Any]:
    org, all_ = organizations, installation
    return (
        select(
            all_.c.sending_stopped_at.label("all_since"),
            all_.c.sending_stopped_by.label("all_by"),
            org.c.sending_stopped_at.label("its_since"),
            org.c.sending_stopped_by.label("its_by"),
            all_.c.mail_down_since.label("down_since"),
            all_.c.mail_down_reason.label("down_reason"),
        )
        .select_from(org.outerjoin(all_, true()))
        .where(org.c.id == work.org_id)
    )


def what_holds_mail(work: Work) -> str | None:
    """Return in words the first thing that holds mail, and since when; None while it goes out."""
    holds, zone = mail_holds(work), work.org.zone
    for stop in holds.stopped:
        whose = "all mail" if stop.everywhere else "the organisation's mail"
        return f"{whose} is stopped since {on_the_clock(stop.since, zone)} by {stop.by}"
    if holds.mail_server is not None:
        return f"the mail server is down since {on_the_clock(holds.mail_server.down_since, zone)}"
    return None
