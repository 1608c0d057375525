"""Play one demo, from the start to the summary, and stop everything that it started."""

import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from sqlalchemy import Engine as Database
from sqlalchemy.exc import OperationalError

from halo_engine import migrate
from halo_engine.database import create_engine
from halo_engine.domain.roles import Role
from halo_engine.engine import Engine
from halo_engine.operators.keys import CreateKeyCall, create_key
from halo_engine.series.save import save_series
from halo_engine.settings import Settings
from halo_engine.work import OrgRef, Work

from ..configuration import create_app
from ..mail import post_office
from ..stack.children import Child, StackError
from ..stack.folders import PROJECT, throwaway_folder
from ..stack.processes import running_processes, stack_environment, start_web
from ..stack.servers import running_servers
from .board import Picture, draw, series_table, take_picture
from .sample import ORG, create_organization, series
from .script import Script
from .site import Site

_TICK_SECONDS = 1.0
_REFRESH_SECONDS = 0.5
#: After this time the demo fails, even on a slow machine.
_LONGEST_SECONDS = 50.0
_TALLEST = 30

_console = Console()


def play() -> None:
    """Start everything, play the script, show it, sum it up, and stop everything."""
    began = time.monotonic()
    mail = PROJECT / ".halo" / "demo-mail"
    _empty(mail)
    with ExitStack() as stack:
        folder = stack.enter_context(throwaway_folder("demo"))
        _console.print("starting PostgreSQL and Valkey …")
        servers = stack.enter_context(running_servers(folder))
        # No mail may be sent, whatever server the environment names.
        settings = Settings(
            database_url=servers.database_url,
            broker_url=servers.broker_url,
            smtp_url=None,
            mail_folder=mail,
        )
        migrate.upgrade(servers.database_url)
        database = create_engine(servers.database_url, application_name="halo-demo")
        stack.callback(database.dispose)
        key = _set_up(database, settings)
        _console.print("starting a worker, a beat and the web server …")
        own_mail = {"smtp_url": "", "mail_per_second": "", "mail_folder": mail}
        environment = stack_environment(
            servers, tick_seconds=_TICK_SECONDS, web_bind="127.0.0.1:0", **own_mail
        )
        processes = stack.enter_context(running_processes(folder, environment, logs=folder))
        web, url = start_web(folder, environment, log=folder / "web.log")
        stack.callback(web.stop)
        _console.print(f"HTTP at {url}")
        script = Script(create_app(settings), Site(url, key))
        picture = _watch(script, database, mail, (*servers.children, *processes, web))
        _summarize(picture, script, mail, time.monotonic() - began)
        _console.print(
            "`.venv/bin/halo up --sample` prints a link that opens the panel in a browser"
        )


def _empty(folder: Path) -> None:
    """Make the folder anew; raise StackError if one of another user is in the way."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise StackError(f"{folder}: {error.strerror}; remove it, and run again") from None


def _set_up(database: Database, settings: Settings) -> str:
    """Make the organisation with its series; return an operator key of it."""
    create_organization(database)
    engine = Engine(database, post_office(settings))

    def save(work: Work) -> None:
        for key, definition in series().items():
            save_series(work, key, definition)

    engine.perform(OrgRef(key=ORG), save)
    call = CreateKeyCall(role=Role.EDITOR, name="demo")
    return engine.perform(OrgRef(key=ORG), lambda work: create_key(work, call)).key


def _watch(script: Script, database: Database, mail: Path, children: Sequence[Child]) -> Picture:
    """Show what happens until the script has ended and no run is under way.

    Raises StackError if a process ends early, or if it takes too long.
    """
    player = threading.Thread(target=script.run, daemon=True)
    player.start()
    ends = time.monotonic() + _LONGEST_SECONDS
    try:
        with Live(console=_console, refresh_per_second=4, transient=True) as live:
            while True:
                for child in children:
                    if child.exited:
                        raise StackError(f"{child.name} ended {child.last_words()}")
                picture = _seen(database)
                if picture is not None:
                    live.update(_drawn(picture, script, mail))
                if script.failure is not None:
                    raise StackError(f"the calls failed: {script.failure}") from script.failure
                if script.finished and picture is not None and picture.settled:
                    return picture
                if time.monotonic() > ends:
                    seconds = f"{_LONGEST_SECONDS:.0f} s"
                    raise StackError(f"after {seconds} some contacts are still in their series")
                time.sleep(_REFRESH_SECONDS)
    finally:
        script.stopping.set()
        player.join(timeout=5)


def _seen(database: Database) -> Picture | None:
    """Take the picture; None if a server has stopped, which is then the message to show."""
    try:
        with database.connect() as connection:
            return take_picture(connection)
    except OperationalError:
        return None


def _drawn(picture: Picture, script: Script, mail: Path) -> Panel:
    height = min(_TALLEST, _console.height - 1)
    return draw(picture, script.said, script.answered, script.refusals, mail, height)


def _summarize(picture: Picture, script: Script, mail: Path, seconds: float) -> None:
    _console.print(series_table(picture))
    _console.print(
        f"{picture.contacts} contacts, {picture.companies} companies; "
        f"{script.answered} calls answered, {len(script.refusals)} refused, "
        f"{script.over_http} of them over HTTP; "
        f"{picture.waiting} signals waiting; {picture.mails} mails sent, "
        f"{len(list(mail.glob('*.eml')))} files in {mail.relative_to(PROJECT)}; {seconds:.0f} s"
    )
    for refusal in sorted(set(script.refusals)):
        _console.print(f"refused: {refusal}", style="red")
