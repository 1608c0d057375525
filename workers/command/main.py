"""The `halo` command. It imports a command's code when that command is called, so that
`halo --help` is quick.
"""

import os
from typing import Any, Final

import click

from halo_engine.cli.commands import COMMANDS
from halo_engine.cli.sections import LazyGroup, Listed

_URLS: Final = {"HALO_DATABASE_URL", "HALO_BROKER_URL"}
_PACKAGE: Final = __name__.partition(".")[0]
_HERE: Final = f"{_PACKAGE}.command"

_OURS: Final = (
    Listed("up", f"{_HERE}.setup:up", "Run everything on this machine, until Ctrl-C."),
    Listed("web", f"{_PACKAGE}.web.command:web", "Serve HTTP until stopped."),
    Listed(
        "doctor",
        f"{_HERE}.setup:doctor",
        "Check the installation; say what is wrong and what to do.",
    ),
    Listed(
        "migrate",
        f"{_HERE}.setup:migrate_command",
        "Bring the database's schema to the version that this code needs.",
    ),
    Listed(
        "calls",
        f"{_HERE}.calls:calls",
        "Calls that are in a wrong queue, or were set aside.",
    ),
    Listed(
        "sql",
        f"{__package__}.statements:sql",
        "Show the statements that halo sends to PostgreSQL.",
    ),
)

#: The commands, in the order in which a newcomer needs them.
_SECTIONS: Final = {
    "Set up": ("up", "web", "doctor", "migrate", "org", "cells", "key", "audit", "list"),
    "Contacts, and what is known of them": ("contacts", "identify", "track", "fields", "events"),
    "Series": ("series", "explain", "runs", "failures", "test", "schema"),
    "Mail, and who else is told": ("sending", "mail", "webhooks"),
    "When something is wrong": ("status", "signals", "rows", "calls", "restore", "sql"),
}


class HaloGroup(LazyGroup):
    """A group of commands that reports an error in one line, and exits 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; print an error that its user can act on in one line."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            from .errors import words  # noqa: PLC0415 -- with all their libraries

            said = words(error)
            if said is None:
                raise
            raise click.ClickException(said) from None


@click.group(cls=HaloGroup, name="halo", sections=_SECTIONS, listed=(*COMMANDS, *_OURS))
@click.version_option(package_name="halo-engine", prog_name="halo")
@click.pass_context
def main(context: click.Context) -> None:
    """Series of emails: who gets which, when, and why a contact did not.

    A series is a file: who enters (a trigger and an audience), what is sent (its steps), and when a
    contact leaves. halo enrolls, sends, and answers why.

    \b
    A first series:
      halo up                              in a terminal of its own: everything it needs
      halo org create acme                 a workspace
      halo series example user_created > welcome.yaml
      halo series apply welcome.yaml
      halo series activate welcome
      halo identify ann --trait email=ann@acme.example
      halo explain ann welcome             why she is in it, and what comes next

    It uses the servers that HALO_DATABASE_URL and HALO_BROKER_URL name. If one is not set, it uses
    that of this project's running `halo up`.
    """
    _use_running_servers(context.invoked_subcommand)
    _prepare(context)


def _use_running_servers(command: str | None) -> None:
    """Set the environment's server URLs from a running `halo up`, if they are not set."""
    if command == "up" or not _URLS - os.environ.keys():
        return
    from ..stack.folders import lasting_folder  # noqa: PLC0415
    from ..stack.servers import found_servers  # noqa: PLC0415

    servers = found_servers(lasting_folder("up"))
    if servers:
        os.environ.setdefault("HALO_DATABASE_URL", servers.database_url)
        os.environ.setdefault("HALO_BROKER_URL", servers.broker_url)


def _prepare(context: click.Context) -> None:
    from halo_engine.cli.installation import log_to_standard_error  # noqa: PLC0415

    from .installation import installation  # noqa: PLC0415

    log_to_standard_error()
    context.obj = context.obj or installation()
