"""The sample organisation: contacts and companies from CSV, four series from YAML files."""

import csv
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, func, insert

from halo_engine.domain.series import SeriesDefinition
from halo_engine.series.files import read_series_file
from halo_engine.tables import organizations

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


def create_organization(database: Engine) -> None:
    """Create the organisation that the demo plays in."""
    with database.begin() as connection:
        connection.execute(
            insert(organizations).values(
                key=ORG,
                name="Demo",
                widget_key=WIDGET_KEY,
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
