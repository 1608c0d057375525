"""The link that `halo up` prints: it opens the panel, signed in (contract §17)."""

from sqlalchemy import Connection

from halo_engine.database import create_engine, run_in_transaction
from halo_engine.network import is_of_this_machine
from halo_engine.opening import open_work
from halo_engine.operators.sessions import make_link, only_organization
from halo_engine.work import OrgRef


def panel_line(database_url: str, public_url: str, sample: str | None) -> str:
    """Return what is said of the panel: a link, or where to sign in.

    A link signs in as admin of the ``sample`` organisation, else of the only one; it is made only
    while the panel is at a loopback address.
    """
    where = f"{public_url}/sign-in (an operator key)"
    if not is_of_this_machine(public_url):
        return where
    database = create_engine(database_url, application_name="halo-up")

    def make(connection: Connection) -> str | None:
        org = sample or only_organization(connection)
        return org and make_link(open_work(connection, OrgRef(key=org), None))

    try:
        token = run_in_transaction(database, make)
    finally:
        database.dispose()
    if token is None:
        return where
    return f"{public_url}/sign-in/{token} (once, within ten minutes)"
