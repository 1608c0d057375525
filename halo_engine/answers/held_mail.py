"""What holds an organisation's mail now: somebody who stopped it, or a server that is down (§9)."""

from sqlalchemy import select, true

from halo_engine.answers.phrases import on_the_clock
from halo_engine.tables import installation, organizations
from halo_engine.work import Work


def what_holds_mail(work: Work) -> str | None:
    """Return in words what holds mail, and since when; None while it goes out. One statement."""
    org, all_ = organizations, installation
    found = work.connection.execute(
        select(
            all_.c.sending_stopped_at.label("all_since"),
            all_.c.sending_stopped_by.label("all_by"),
            org.c.sending_stopped_at.label("its_since"),
            org.c.sending_stopped_by.label("its_by"),
            all_.c.mail_down_since.label("down_since"),
        )
        .select_from(org.outerjoin(all_, true()))
        .where(org.c.id == work.org_id)
    ).one()
    zone = work.org.zone
    if found.all_since is not None:
        since = on_the_clock(found.all_since, zone)
        return f"all mail is stopped since {since} by {found.all_by}"
    if found.its_since is not None:
        since = on_the_clock(found.its_since, zone)
        return f"the organisation's mail is stopped since {since} by {found.its_by}"
    if found.down_since is not None:
        return f"the mail server is down since {on_the_clock(found.down_since, zone)}"
    return None
