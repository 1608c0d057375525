"""The `halo` command: `up`, `migrate`, `doctor` and `calls`, and all commands of
``halo_engine.cli``.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from redis import RedisError
from sqlalchemy.exc import DBAPIError

from halo_engine import migrate
from halo_engine.cli.commands import COMMANDS
from halo_engine.cli.installation import log_to_standard_error
from halo_engine.cli.sections import SectionedGroup
from halo_engine.domain.errors import Refusal
from halo_engine.server_urls import masked, one_line
from halo_engine.settings import ConfigurationError, load_settings
from workers.calls_command import calls
from workers.connections import broker
from workers.doctor import examine
from workers.installation import installation
from workers.stack.children import Child, StackError
from workers.stack.folders import claimed, lasting_folder, throwaway_folder
from workers.stack.interruption import Interrupted, interruptible
from workers.stack.processes import running_processes, stack_environment
from workers.stack.servers import found_servers, running_servers

_URLS = {"HALO_DATABASE_URL", "HALO_BROKER_URL"}
_POLL_SECONDS = 0.2
_COLOURS = {"ok": "green", "note": "yellow", "wrong": "red"}


class HaloGroup(SectionedGroup):
    """A group of commands that says in one line what went wrong, and exits 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command named; what a user can act on becomes one line without a traceback."""
        try:
            return super().invoke(ctx)
        except (ConfigurationError, StackError, Refusal) as error:
            raise click.ClickException(str(error)) from None
        except UnicodeEncodeError:
            raise click.ClickException("what was typed is no text; allowed is UTF-8") from None
        except RuntimeError:
            if sys.stdin is not None:
                raise
            raise click.ClickException("there is no standard input to read") from None
        except BrokenPipeError:
            # The reader of our output closed it; click ends quietly.
            raise
        except RedisError as error:
            said = one_line(error, os.environ.get("HALO_BROKER_URL", ""))
            raise click.ClickException(f"broker: {said} (`halo doctor` tells more)") from None
        except OSError as error:
            raise click.ClickException(_cannot(error)) from None
        except DBAPIError as error:
            if migrate.is_of_another_schema(error):
                raise click.ClickException(migrate.OF_ANOTHER_SCHEMA) from None
            said = one_line(error.orig or error, os.environ.get("HALO_DATABASE_URL", ""))
            raise click.ClickException(f"{said} (`halo doctor` tells more)") from None


def _cannot(error: OSError) -> str:
    """Say which file could not be read or written; without one it is the output itself."""
    where = "the output" if error.filename is None else str(error.filename)
    return f"{where}: {error.strerror or error}"


#: The commands in the order of a first day.
_SECTIONS = {
    "Set up": ("up", "doctor", "migrate", "org", "list"),
    "Contacts, and what is known of them": ("contacts", "identify", "track", "fields", "events"),
    "Series": ("series", "explain", "failures", "test", "schema"),
    "Mail": ("sending", "mail"),
    "When something is wrong": ("status", "signals", "rows", "calls"),
}


@click.group(cls=HaloGroup, name="halo", sections=_SECTIONS)
@click.version_option(package_name="halo-engine", prog_name="halo")
@click.pass_context
def main(context: click.Context) -> None:
    """Series of emails: who gets which, when, and why somebody did not.

    A series is a file: whom it takes in (a trigger and an audience), what it sends (its steps),
    and when somebody leaves. halo enrolls, sends, and answers why.

    \b
    A first series:
      halo up                              in a terminal of its own: everything it needs
      halo org create acme                 a workspace
      halo series example user_created > welcome.yaml
      halo series apply welcome.yaml
      halo series activate welcome
      halo identify ann --trait email=ann@acme.example
      halo explain ann welcome             why she is in it, and what comes next

    Works on the servers that HALO_DATABASE_URL and HALO_BROKER_URL name; where one is not set, on
    those of this project's running `halo up`.
    """
    unset = _URLS - os.environ.keys()
    if unset and context.invoked_subcommand != "up":
        servers = found_servers(lasting_folder("up"))
        if servers:
            os.environ.setdefault("HALO_DATABASE_URL", servers.database_url)
            os.environ.setdefault("HALO_BROKER_URL", servers.broker_url)
    log_to_standard_error()
    context.obj = context.obj or installation()


for _command in (*COMMANDS, calls):
    main.add_command(_command)


@main.command()
def up() -> None:
    """Run all that is needed on this machine, until Ctrl-C.

    That is a database, a broker, a worker and beat. Servers named by HALO_DATABASE_URL and
    HALO_BROKER_URL are used; for one that is not named an embedded one is started, whose data is
    kept from run to run.
    """
    settings = load_settings()
    embedded = settings.database_url is None or settings.broker_url is None
    try:
        with (
            interruptible(),
            _up_folder(lasting=embedded) as folder,
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
            with running_processes(folder, stack_environment(servers)) as processes:
                click.echo("ready     Ctrl-C stops everything")
                _wait_for_an_end((*servers.children, *processes))
    except Interrupted:
        click.echo("stopped")


@main.command(name="migrate")
def migrate_command() -> None:
    """Bring the database's schema to the version that this code needs."""
    url = load_settings().required_database_url()
    before, head = migrate.current_and_head(url)
    migrate.upgrade(url)
    click.echo(f"at {head} already" if before == head else f"{before or 'nothing'} -> {head}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def doctor(as_json: bool) -> None:
    """Say what is not set up, and what to do about it.

    Looks at what is configured, reachable and migrated. Exits 1 when something is wrong.
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


@contextmanager
def _up_folder(*, lasting: bool) -> Iterator[Path]:
    """The folder that `halo up` works in: its own data's, or a throw-away one when it has none."""
    with ExitStack() as stack:
        if lasting:
            folder = lasting_folder("up")
            stack.enter_context(claimed(folder))
        else:
            folder = stack.enter_context(throwaway_folder("up"))
        yield folder


def _require_broker(url: str) -> None:
    """Say at once that it is down: a worker would go on trying."""
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
