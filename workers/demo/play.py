"""One demo, from nothing to the summary; it stops everything that it started."""

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
from halo_engine.engine import Engine
from halo_engine.series.save import save_series
from halo_engine.settings import Settings
from halo_engine.work import OrgRef, Work
from workers.configuration import create_app
from workers.demo.board import Picture, draw, series_table, take_picture
from workers.demo.sample import ORG, create_organization, series
from workers.demo.script import Script
from workers.mail import post_office
from workers.stack.children import Child, StackError
from workers.stack.folders import PROJECT, throwaway_folder
from workers.stack.processes import running_processes, stack_environment
from workers.stack.servers import running_servers

_TICK_SECONDS = 1.0
_REFRESH_SECONDS = 0.5
#: However slow the machine: after this the demo says that it did not come to its end.
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
        # Nobody is to be written to, whatever server the environment names.
        settings = Settings(
            database_url=servers.database_url,
            broker_url=servers.broker_url,
            smtp_url=None,
            mail_folder=mail,
        )
        migrate.upgrade(servers.database_url)
        database = create_engine(servers.database_url, application_name="halo-demo")
        stack.callback(database.dispose)
        _set_up(database, settings)
        _console.print("starting a worker and a beat …")
        own_mail = {"smtp_url": "", "mail_per_second": "", "mail_folder": mail}
        environment = stack_environment(servers, tick_seconds=_TICK_SECONDS, **own_mail)
        processes = stack.enter_context(running_processes(folder, environment, logs=folder))
        script = Script(create_app(settings))
        picture = _watch(script, database, mail, (*servers.children, *processes))
        _summarize(picture, script, mail, time.monotonic() - began)


def _empty(folder: Path) -> None:
    """Make the folder anew; one line says so when somebody else's is in the way."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise StackError(f"{folder}: {error.strerror}; remove it, and run again") from None


def _set_up(database: Database, settings: Settings) -> None:
    create_organization(database)
    engine = Engine(database, post_office(settings))

    def save(work: Work) -> None:
        for key, definition in series().items():
            save_series(work, key, definition)

    engine.perform(OrgRef(key=ORG), save)


def _watch(script: Script, database: Database, mail: Path, children: Sequence[Child]) -> Picture:
    """Show what happens until the script is through and nobody has a step before them.

    Raises StackError when a process ends meanwhile, or when it takes too long.
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
                    raise StackError(f"after {seconds} some are still in their series")
                time.sleep(_REFRESH_SECONDS)
    finally:
        script.stopping.set()
        player.join(timeout=5)


def _seen(database: Database) -> Picture | None:
    """Take the picture; None when the server went, whose end then is what there is to say."""
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
        f"{script.answered} calls answered, {len(script.refusals)} refused; "
        f"{picture.waiting} signals waiting; {picture.mails} mails sent, "
        f"{len(list(mail.glob('*.eml')))} files in {mail.relative_to(PROJECT)}; {seconds:.0f} s"
    )
    for refusal in sorted(set(script.refusals)):
        _console.print(f"refused: {refusal}", style="red")
