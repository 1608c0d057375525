"""The command that serves HTTP: `halo web`."""

import click

from halo_engine.settings import load_settings


@click.command()
def web() -> None:
    """Serve HTTP until stopped, on HALO_WEB_BIND.

    SIGTERM ends it once all accepted requests are answered; a second one ends it at once.
    """
    # Imported late, with the web server.
    from .processes import serve_all  # noqa: PLC0415

    serve_all(load_settings(), lambda url: click.echo(f"web       {url}"))
