"""The commands that set up an installation: `halo up`, `halo migrate`, `halo doctor`."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from redis import RedisError

from halo_engine import migrate
from halo_engine.server_urls import masked, one_line
from halo_engine.settings import ConfigurationError, Settings, load_settings

from ..connections import broker
from ..stack.children import Child, StackError
from ..stack.folders import claimed, lasting_folder, throwaway_folder
from ..stack.interruption import Interrupted, interruptible
from ..stack.processes import running_processes, stack_environment, start_web
from ..stack.servers import running_servers
from ..web.listening import any_port, free_address
from .cells import migrate_cells
from .doctor import examine
from .panel_link import panel_line

_POLL_SECONDS = 0.2
_COLOURS = {"ok": "green", "note": "yellow", "wrong": "red"}


@click.command()
@click.option(
    "--sample",
    is_flag=True,
    help="Make a sample organisation, and print a new key for it.",
)
def up(sample: bool) -> None:
    """Run everything on this machine, until Ctrl-C.

    That is a database, a broker, a worker, beat, and HTTP with the panel, to which a link is
    printed. It uses the servers that
    HALO_DATABASE_URL and HALO_BROKER_URL name. If one is not set, an embedded server is started,
    whose data is kept from run to run.
    """
    settings = load_settings()
    address = _web_address(settings.web_bind, elsewhere=sample)
    embedded = settings.database_url is None or settings.broker_url is None
    try:
        with (
            interruptible(),
            _up_folder(lasting=embedded) as folder,
            ExitStack() as stack,
            running_servers(
                folder, database_url=settings.database_url, broker_url=settings.broker_url
            ) as servers,
        ):
            click.echo(f"database  {masked(servers.database_url)}")
            _require_broker(servers.broker_url)
            click.echo(f"broker    {masked(servers.broker_url)}")
            click.echo(f"mail      {masked(settings.smtp_url or str(settings.mail_folder))}")
            migrate.upgrade(servers.database_url)
            click.echo(f"schema    {migrate.head_revision()}")
            public_url = settings.public_url or f"http://{address}"
            environment = stack_environment(servers, web_bind=address, public_url=public_url)
            with running_processes(folder, environment) as processes:
                web, url = start_web(folder, environment)
                click.echo(f"web       {url}")
                stack.callback(web.stop)
                org = _offer_sample(servers.database_url, settings, url) if sample else None
                click.echo(f"panel     {panel_line(servers.database_url, public_url, org)}")
                click.echo("ready     Ctrl-C stops everything")
                _wait_for_an_end((*servers.children, *processes, web))
    except Interrupted:
        click.echo("stopped")


@click.command(name="migrate")
def migrate_command() -> None:
    """Bring the database's schema to the version that this code needs.

    With HALO_DIRECTORY_URL that is the directory's, and each cell's. A cell that does not answer is
    named, and the others are migrated; then it exits 1.
    """
    settings = load_settings()
    if settings.directory_url is not None:
        raise SystemExit(0 if migrate_cells(settings) else 1)
    url = settings.required_database_url()
    before, head = migrate.current_and_head(url)
    migrate.upgrade(url)
    click.echo(f"at {head} already" if before == head else f"{before or 'nothing'} -> {head}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def doctor(as_json: bool) -> None:
    """Check the installation; say what is wrong and what to do.

    It checks settings, servers, schema and workers. Exits 1 when something is wrong.
    """
    findings = examine()
    wrong = any(finding.state == "wrong" for finding in findings)
    if as_json:
        listed = [asdict(finding) for finding in findings]
        click.echo(json.dumps({"ok": not wrong, "findings": listed}, indent=2))
    else:
        for finding in findings:
            state = click.style(f"{finding.state:<7}", fg=_COLOURS[finding.state])
            click.echo(f"{state}{finding.subject:<17}{finding.said}")
            if finding.remedy:
                click.echo(f"{'':<24}→ {finding.remedy}")
    raise SystemExit(1 if wrong else 0)


def _web_address(bind: str, *, elsewhere: bool) -> str:
    """Return the address for HTTP; ``elsewhere``: another port if that one is taken."""
    try:
        return free_address(bind)
    except ConfigurationError:
        if not elsewhere:
            raise
    address = free_address(any_port(bind))
    click.echo(f"web       {bind} is taken; {address} is used")
    return address


def _offer_sample(database_url: str, settings: Settings, url: str) -> str:
    """Make the sample organisation unless it is there, print a new key of it; return its own."""
    # Imported late, with all that the sample needs.
    from ..demo.sample import offer_sample  # noqa: PLC0415

    sample = offer_sample(database_url, settings)
    click.echo(f"sample    organisation {sample.org}, widget key {sample.widget_key}")
    click.echo(f"          operator key {sample.key} (admin, for a week)")
    click.echo(f'          curl -H "Authorization: Bearer {sample.key}" {url}/api/series')
    return sample.org


@contextmanager
def _up_folder(*, lasting: bool) -> Iterator[Path]:
    """The folder of `halo up`: a lasting one for its data, or a temporary one if it has none."""
    with ExitStack() as stack:
        if lasting:
            folder = lasting_folder("up")
            stack.enter_context(claimed(folder))
        else:
            folder = stack.enter_context(throwaway_folder("up"))
        yield folder


def _require_broker(url: str) -> None:
    """Fail at once if it is down: a worker would go on trying."""
    try:
        broker(url).ping()
    except (RedisError, OSError, ValueError) as error:
        raise StackError(f"broker {masked(url)}: {one_line(error, url)}") from None


def _wait_for_an_end(children: Sequence[Child]) -> None:
    while True:
        for child in children:
            if child.exited:
                status = child.process.returncode
                raise StackError(f"{child.name} ended with status {status} {child.last_words()}")
        time.sleep(_POLL_SECONDS)
