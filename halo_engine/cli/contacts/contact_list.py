"""`halo contacts list`: finding contacts, newest first."""

from pathlib import Path
from uuid import UUID

import click

from halo_engine.answers.reports.contact_list import contact_list
from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.series.answers import draw_contacts
from halo_engine.domain.answer import PAGE
from halo_engine.series.files.reading import read_audience_file


@click.command(name="list")
@click.argument("search", required=False)
@click.option(
    "--audience",
    "file",
    type=click.Path(path_type=Path),
    help="Only contacts that the audience in this file matches: a series, or `audience_filters`.",
)
@click.option("--series", "key", help="Which series of the file, if it holds several.")
@click.option("--after", type=click.UUID, help="Show the page after this contact's id.")
@click.option("--size", type=click.IntRange(1, 1000), default=PAGE, show_default=True)
@in_organization
def list_command(
    context: CommandContext,
    search: str | None,
    file: Path | None,
    key: str | None,
    after: UUID | None,
    size: int,
) -> None:
    """Find contacts by ID or email, newest first.

    SEARCH is a user ID or an email, or its beginning; without it all contacts are listed.
    """
    within = read_audience_file(file, key) if file else None
    found = context.ask(
        lambda work: contact_list(work, search=search, within=within, after=after, size=size)
    )
    context.show(found, lambda page: draw_contacts(page.contacts, page.next, context.zone))
