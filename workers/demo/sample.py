"""The sample organisation: contacts and companies from CSV, four series from YAML files."""

import csv
import secrets
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Engine as Database
from sqlalchemy import func, insert, select

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.csv_import.importing import ImportCsvCall, import_csv
from halo_engine.database import create_engine
from halo_engine.domain.roles import Role
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.engine import Engine
from halo_engine.operators.keys import CreateKeyCall, create_key
from halo_engine.series.files.reading import read_series_file
from halo_engine.series.lifecycle import activate
from halo_engine.series.save import save_series
from halo_engine.series.versions import Author
from halo_engine.settings import Settings
from halo_engine.tables import organizations
from halo_engine.work import OrgRef, Work

from ..mail import post_office

ORG: Final = "demo"
WIDGET_KEY: Final = "ab_live_demo"

_FOLDER: Final = Path(__file__).parent / "sample_files"
CONTACTS_CSV: Final = _FOLDER / "contacts.csv"
#: The columns of ``CONTACTS_CSV`` and the fields that they are imported into.
CONTACTS_MAPPING: Final = {
    "User": "external_id",
    "Email": "email",
    "Full name": "name",
    "Role": "custom:role",
    "Plan": "custom:plan",
    "Renewal": "renewal_status",
    "Signed up": "signed_up_at",
}


def create_organization(database: Database, widget_key: str = WIDGET_KEY) -> None:
    """Create the organisation that the demo plays in."""
    with database.begin() as connection:
        connection.execute(
            insert(organizations).values(
                key=ORG,
                name="Demo",
                widget_key=widget_key,
                verified_domain=True,
                company_footer="Halo Demo Ltd, 1 Main Street, Springfield",
                created_at=func.now(),
                reevaluated_at=func.now(),
            )
        )


def companies() -> list[tuple[dict[str, object], list[str]]]:
    """Return each company as a call of ``halo.companies.identify``, and the users to add to it."""
    with (_FOLDER / "companies.csv").open(encoding="utf-8", newline="") as file:
        return [
            (
                {
                    "id": row["Company"],
                    "traits": {"name": row["Name"], "tier": row["Tier"]},
                },
                row["Users"].split(),
            )
            for row in csv.DictReader(file)
        ]


def series() -> dict[str, SeriesDefinition]:
    """Return the four series, one for each entry trigger."""
    found: dict[str, SeriesDefinition] = {}
    for path in sorted((_FOLDER / "series").glob("*.yaml")):
        found |= read_series_file(path)
    return found


class Sample(NamedTuple):
    """The keys of the sample organisation."""

    org: str
    widget_key: str
    key: str


def offer_sample(database_url: str, settings: Settings) -> Sample:
    """Make the sample organisation with its contacts and running series, unless it exists; make a
    new admin key, which expires within a week.
    """
    database = create_engine(database_url, application_name="halo-sample")
    try:
        engine = Engine(database, post_office(settings))
        with database.connect() as connection:
            is_there = connection.scalar(select(func.count()).where(organizations.c.key == ORG))
        if not is_there:
            create_organization(database, widget_key=f"ab_live_{secrets.token_urlsafe(18)}")
            engine.perform(OrgRef(key=ORG), _fill)
        with database.connect() as connection:
            found = select(organizations.c.widget_key).where(organizations.c.key == ORG)
            widget_key: str = connection.execute(found).scalar_one()
        asked = CreateKeyCall.model_validate(
            {"role": Role.ADMIN, "expires": "7d", "name": "halo up --sample"}
        )
        made = engine.perform(OrgRef(key=ORG), lambda work: create_key(work, asked))
        return Sample(ORG, widget_key, made.key)
    finally:
        database.dispose()


def _fill(work: Work) -> None:
    text = CONTACTS_CSV.read_text(encoding="utf-8")
    import_csv(work, ImportCsvCall(text=text, mapping=dict(CONTACTS_MAPPING)))
    for company, users in companies():
        for user_id in users:
            call = IdentifyCompanyCall.model_validate({**company, "user_id": user_id})
            identify_company(work, call)
    for key, definition in series().items():
        save_series(work, key, definition, Author("halo up --sample"))
        activate(work, key, "halo up --sample")
