"""`halo contacts erase --file`: says in numbers what goes, asks, and erases page by page."""

from functools import partial
from pathlib import Path
from typing import Final

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from halo_engine.cli.contacts.imports import reading
from halo_engine.cli.context import CommandContext
from halo_engine.cli.output import plain, progress_bar
from halo_engine.contacts.erasure.batches import (
    EraseContactsCall,
    ErasedContacts,
    erase_contacts,
)
from halo_engine.contacts.erasure.files import (
    ErasedFile,
    NamedLine,
    erase_each,
    read_identifiers,
)
from halo_engine.domain.errors import conflict

#: ``--yes`` alone erases so many; a person is asked before more, and a script says how many.
_MANY: Final = 100
_MOST_LINES_PRINTED: Final = 20
#: The exit status that shells use for Ctrl-C.
_INTERRUPTED: Final = 130


def erase_file(
    context: CommandContext, file: Path, *, confirm: int | None, dry_run: bool, sure: bool
) -> None:
    """Erase the contacts of a file, unless nobody is sure; exit 1 if a line names nobody."""
    with reading(file):
        named = read_identifiers(file)
    foreseen = erase_each(
        lambda call: context.ask(partial(erase_contacts, call=call)), named, dry_run=True
    )
    if dry_run:
        context.show(foreseen, partial(_draw, what="would be erased"))
    else:
        _make_sure(context, foreseen, confirm=confirm, sure=sure)
        erased = _erase(context, named)
        context.show(erased, partial(_draw, what="erased"))
    if foreseen.unknown:
        raise SystemExit(1)


def _make_sure(
    context: CommandContext, foreseen: ErasedFile, *, confirm: int | None, sure: bool
) -> None:
    """Ask a person who has seen the numbers; a no ends the command."""
    if confirm is not None:
        if foreseen.contacts > confirm:
            problem = f"The file names {foreseen.contacts} contacts; {confirm} were expected"
            raise conflict(
                "more_than_expected", f"{problem}. Allowed is to expect more of them (--confirm)."
            )
        return
    if sure and foreseen.contacts <= _MANY:
        return
    if not context.as_json:
        _draw(foreseen, what="will be erased")
    click.confirm("This cannot be undone. Go on?", abort=True, err=context.as_json)


def _erase(context: CommandContext, named: list[NamedLine]) -> ErasedFile:
    def erase(call: EraseContactsCall) -> ErasedContacts:
        return context.change("contacts.erase_many", call, partial(erase_contacts, call=call))

    columns = (TextColumn("erasing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with progress_bar(*columns, hidden=context.as_json) as bar:
            task = bar.add_task("erasing", total=len(named))
            return erase_each(erase, named, show=lambda done: bar.update(task, completed=done))
    except KeyboardInterrupt:
        click.echo("Interrupted; the same command goes on with the rest.", err=True)
        raise SystemExit(_INTERRUPTED) from None


def _draw(found: ErasedFile, what: str) -> None:
    click.echo(f"{found.contacts} contacts {what}, and with them")
    click.echo(f"  {found.runs} runs, {found.mails} mails, {found.events} events")
    for key, contacts in found.active.items():
        click.echo(f"  {contacts} leave series {key}")
    if found.suppressed:
        click.echo(f"  of {found.suppressed} suppressed addresses a keyed hash stays")
    if found.unknown:
        click.echo(f"{found.unknown} identifiers name nobody, or somebody who is erased:")
    for each in found.unknown_lines[:_MOST_LINES_PRINTED]:
        click.echo(f"  line {each.line}: {plain(each.contact)}")
    if found.unknown > _MOST_LINES_PRINTED:
        click.echo(f"  … and {found.unknown - _MOST_LINES_PRINTED} more; --json names up to 1,000")
