"""`halo calls`: messages that are in a wrong queue of the broker, or that no worker can take."""

from collections.abc import Callable
from typing import Any

import click

from halo_engine.cli.output import print_json, print_table
from halo_engine.settings import load_settings

from ..broker import set_aside
from ..connections import broker
from ..queue_names import CALLS_QUEUE
from . import queues


@click.group()
def calls() -> None:
    """Calls that are in a wrong queue, or were set aside."""


def _broker() -> Any:
    return broker(load_settings().required_broker_url())


@calls.command()
@click.option(
    "--from", "source", metavar="QUEUE", default="celery", show_default=True, help="Where they are."
)
def move(source: str) -> None:
    """Move Halo's calls from another queue to halo.calls.

    Only tasks whose names begin with `halo.` are moved, in their order; others stay as they are.
    """
    if source in queues.queues_in_use(load_settings()):
        raise click.UsageError(f"{source} is a queue of ours: nothing is astray there")
    click.echo(f"{queues.move(_broker(), source)} moved from {source} to {CALLS_QUEUE}")


@calls.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def aside(as_json: bool) -> None:
    """List the messages that were set aside, and why."""
    found = set_aside.set_aside(_broker())
    if as_json:
        print_json(found)
        return
    columns = ("key", "at", "queue", "task", "bytes", "reason")
    rows = [(it.key, it.at, it.queue, it.task, it.bytes, it.reason) for it in found]
    print_table(columns, rows, numbers=("bytes",))


def _on_chosen(act: Callable[[Any, list[str]], int], done: str, help_text: str) -> None:
    """Make a command that acts on messages that were set aside."""

    @calls.command(name=act.__name__.replace("put_back", "retry"), help=help_text)
    @click.argument("keys", metavar="[KEY]...", nargs=-1)
    @click.option("--all", "everything", is_flag=True, help="All that are set aside.")
    def run(keys: tuple[str, ...], everything: bool) -> None:
        if everything == bool(keys):
            raise click.UsageError("name the keys that `halo calls aside` shows, or --all")
        client = _broker()
        chosen = [it.key for it in set_aside.set_aside(client)] if everything else list(keys)
        click.echo(f"{act(client, chosen)} {done}")


_on_chosen(
    set_aside.put_back,
    "put back",
    "Put messages that were set aside back to the head of their queues.",
)
_on_chosen(set_aside.discard, "discarded", "Discard messages that were set aside.")
