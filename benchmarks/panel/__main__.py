"""Measure the pages at 1,000 series and 1,000,000 contacts, all of whom have had a mail.

What counts is compared with the bare `count(*)` of the same rows.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from benchmarks import sql
from benchmarks.ground import Crowd, Ground, ground
from benchmarks.measuring import Side, alternate
from benchmarks.panel.visiting import Browser
from benchmarks.past import SERIES, give_past
from benchmarks.table import measured
from benchmarks.workloads.activation import OWNERS_ON_PRO
from halo_engine.domain.roles import Role
from halo_engine.operators.keys import CreateKeyCall, create_key
from halo_engine.operators.proof import Keyring
from halo_engine.operators.sessions import Sessions
from workers.stack.folders import throwaway_folder
from workers.stack.interruption import Interrupted, interruptible
from workers.stack.processes import stack_environment, start_web
from workers.stack.servers import Servers

_VISITS: Final = 20
_ROUNDS: Final = 5
_MAIL: Final = {"subject": "Hi", "body": "Hi"}
_LONG: Final = {
    **OWNERS_ON_PRO,
    "steps": [{"key": f"s{number}", "delay": "1d", "email": _MAIL} for number in range(50)],
}
#: Pages that answer at once; a series has 50 steps.
PAGES: Final = (
    "/sign-in",
    "/series",
    "/series?q=past",
    "/series/long",
    "/series/long/progress",
    "/series/long/why",
    "/contacts",
    "/contacts/{contact}",
    "/imports",
    "/settings",
    "/settings/mail",
    "/settings/keys",
    "/settings/audit",
)
#: What follows a page, and the count that it is compared with.
COUNTS: Final[Mapping[str, str]] = {
    "/series-counts?q=past": (
        "SELECT automation_id, count(ended_at), count(converted_at) FROM automation_enrollments"
        " WHERE org_id = %(org)s GROUP BY automation_id"
        " UNION ALL SELECT automation_id, count(sent_at), 0 FROM messages"
        " WHERE org_id = %(org)s GROUP BY automation_id"
    ),
    "/series/long?counted": sql.COUNT,
}


def set_up(crowd: Crowd, series: int) -> None:
    """Give the organisation a past, and so many series in all."""
    give_past(crowd, due=1_000)
    email = {"key": "hi", "email": _MAIL}
    for number in range(series - SERIES - 2):
        crowd.draft(f"draft-{number}", entry_trigger="user_created", steps=[email])
    crowd.draft("long", **_LONG)
    crowd.rest("automations", "automation_steps")


@contextmanager
def browsing(ground: Ground, crowd: Crowd) -> Iterator[Browser]:
    """Serve the panel, and sign in to it."""
    call = CreateKeyCall(role=Role.ADMIN, name="bench")
    key = crowd.perform(lambda work: create_key(work, call)).key
    session = Sessions(crowd.database, Keyring(crowd.database)).sign_in(key)
    servers = Servers(crowd.url, ground.servers.broker_url)
    with throwaway_folder("panel") as folder:
        environment = stack_environment(servers, web_bind="127.0.0.1:0")
        web, url = start_web(folder, environment, log=folder / "web.log")
        try:
            with Browser(url, session) as browser:
                yield browser
        finally:
            web.stop()


def pages(browser: Browser, crowd: Crowd) -> Table:
    """Return the table of the pages."""
    table = Table("page", "first byte", "bytes", "of a first visit", "elements")
    [[contact]] = crowd.run("SELECT id FROM end_users WHERE external_id = 'u7'")
    for path in PAGES:
        where = path.format(contact=contact)
        page = browser.often(where, _VISITS)
        first = f"{browser.first_visit(where):,}"
        table.add_row(
            path, measured(page.first_byte, "s"), f"{page.size:,}", first, f"{page.elements:,}"
        )
    return table


def counts(browser: Browser, crowd: Crowd) -> Table:
    """Return the table of what counts."""
    table = Table("page", "whole", "count(*)", "ratio")
    for path, count in COUNTS.items():
        sides = [
            Side(lambda: None, lambda path=path: browser.visit(path)),  # type: ignore[misc]
            Side(lambda: None, lambda count=count: crowd.run(count)),  # type: ignore[misc]
        ]
        taken = alternate(sides, _ROUNDS)
        seconds = [measured(taken.seconds(side), "s") for side in (0, 1)]
        table.add_row(path, *seconds, f"{taken.ratio(0, 1):.2f}")
    return table


@click.command()
@click.option("--contacts", default=1_000_000, show_default=True)
@click.option("--series", default=1_000, show_default=True)
def main(contacts: int, series: int) -> None:
    """Measure all pages, and print two tables."""
    console = Console(width=100)
    try:
        with interruptible(), ground() as sandbox:
            crowd = sandbox.crowd(contacts, "panel")
            set_up(crowd, series)
            with browsing(sandbox, crowd) as browser:
                console.print(pages(browser, crowd))
                console.print(counts(browser, crowd))
    except Interrupted as interrupted:
        raise SystemExit(interrupted.exit_status) from None


if __name__ == "__main__":
    main()
