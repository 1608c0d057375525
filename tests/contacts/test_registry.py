"""Which custom fields are registered, and how many of them (contract §2, Bounds)."""

from collections.abc import Callable

from sqlalchemy import Engine, text

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.csv_import.importing import ImportCsvCall, import_csv
from halo_engine.contacts.identifying.identify import IdentifyAnswer, IdentifyCall, identify
from halo_engine.contacts.identifying.sync import SyncCall, sync
from halo_engine.opening import open_work
from halo_engine.tables import audience_field_counts, audience_fields, end_users
from halo_engine.work import Work
from tests.contacts.racing import at_once
from tests.contacts.sandbox import NOW, committed_organization, rows

MOST = 5_000
_WAITING = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE datname = current_database() AND NOT granted
"""


def fill(work: Work, fields: int) -> None:
    """Have the organisation's contacts register so many fields, ``f0`` and on, by the door."""
    names = [f"f{number}" for number in range(fields)]
    for start in range(0, fields, 1_000):
        says(work, *names[start : start + 1_000])


def says(work: Work, *names: str, user_id: str = "ann") -> IdentifyAnswer:
    """Identify a user with these custom fields."""
    return identify(work, IdentifyCall(user_id=user_id, traits=dict.fromkeys(names, 1)))


def registered(work: Work) -> list[str]:
    """Return the names of the registered fields, but for those of ``fill``."""
    return [key for key in counted(work) if not key[1:].isdigit()]


def counted(work: Work) -> list[str]:
    """Return the names of all registered fields, of which there are as many as the count says."""
    keys = [key for (key,) in rows(work, audience_fields, "key")]
    assert rows(work, audience_field_counts, "registered") == [(len(keys),)]
    return keys


def warning(names: str) -> str:
    """Return the warning about fields that were not registered."""
    return f"{names}: kept, but not registered; an organisation registers 5000 fields"


def test_beyond_5000_a_field_is_kept_not_registered_and_named(work: Work) -> None:
    """Beyond 5,000 a new field is stored and named in a warning, but not registered."""
    fill(work, MOST - 1)
    answer = says(work, "zeta", "beta", "alpha", "f7")
    assert answer.warnings == (warning("‘custom:beta’, ‘custom:zeta’"),)
    assert registered(work) == ["alpha"]
    [(custom,)] = rows(work, end_users, "custom_fields")
    assert {"alpha", "beta", "zeta"} <= custom.keys()


def test_a_full_registry_changes_nothing_for_known_fields(work: Work) -> None:
    """In a full registry known fields cause no warning, and a field seen as null learns its
    type.
    """
    fill(work, MOST - 1)
    identify(work, IdentifyCall(user_id="ann", traits={"plan": None}))
    answer = identify(work, IdentifyCall(user_id="ann", traits={"plan": "pro", "f7": 2}))
    assert answer.warnings == ()
    types = dict(rows(work, audience_fields, "key", "type"))
    assert (len(types), types["plan"]) == (MOST, "string")


def test_fields_of_contacts_and_companies_count_together(work: Work) -> None:
    """Fields of companies count too; a warning names them as filters do."""
    fill(work, MOST - 1)
    identify_company(work, IdentifyCompanyCall(id="acme", traits={"tier": "gold"}))
    answer = identify_company(work, IdentifyCompanyCall(id="acme", traits={"tier": 1, "size": 2}))
    assert answer.warnings == (warning("‘company.custom:size’"),)
    assert says(work, "plan").warnings == (warning("‘custom:plan’"),)
    assert registered(work) == ["tier"]


def test_batches_warn_once(work: Work) -> None:
    """A file or a batch is answered with one warning."""
    fill(work, MOST)
    contacts = [{"user_id": name, "traits": {"size": 1, name: 2}} for name in ("x", "y")]
    assert sync(work, SyncCall(source="crm", contacts=contacts)).warnings == (
        warning("‘custom:size’, ‘custom:x’, ‘custom:y’"),
    )
    call = ImportCsvCall(text="ID,S\n1,a\n2,b\n", mapping={"ID": "external_id", "S": "custom:s"})
    assert import_csv(work, call).warnings == (warning("‘custom:s’"),)


def test_calls_that_race_cannot_pass_the_bound(database: Engine) -> None:
    """Of 320 new fields at once the 100 that fit are registered, and the count equals the rows."""
    org = committed_organization(database)
    with database.begin() as connection:
        fill(open_work(connection, org, NOW), MOST - 100)

    def call(letter: str) -> Callable[[Work], IdentifyAnswer]:
        names = [f"{letter}-{number}" for number in range(40)]
        return lambda work: says(work, *names, user_id=letter)

    answers = at_once(database, org, *map(call, "abcdefgh"))
    named = sum(warned.count("‘custom:") for each in answers for warned in each.warnings)
    with database.connect() as connection:
        found = registered(open_work(connection, org, NOW))
    assert (len(found), named) == (100, 220)


def test_an_organisations_first_calls_cannot_pass_the_bound(database: Engine) -> None:
    """Of an organisation's first 6,000 fields at once, 5,000 are registered."""
    org = committed_organization(database)

    def call(letter: str) -> Callable[[Work], IdentifyAnswer | None]:
        names = [f"{letter}{number}" for number in range(1_000)]
        return lambda work: says(work, *names, user_id=letter)

    with database.connect() as holding:
        # Until all have come this far; then their statements begin together.
        holding.execute(text("LOCK TABLE audience_field_counts"))

        def release(work: Work) -> None:
            while work.connection.scalars(text(_WAITING)).one() < 6:
                pass
            holding.commit()

        answers = at_once(database, org, *map(call, "abcdef"), release)
    named = sum(warned.count("‘custom:") for each in answers if each for warned in each.warnings)
    with database.connect() as connection:
        assert len(counted(open_work(connection, org, NOW))) == MOST
    assert named == 6_000 - MOST


def test_the_same_new_fields_at_once_are_counted_once(database: Engine) -> None:
    """Calls at once with the same new fields register each field once."""
    org = committed_organization(database)
    for number in range(5):
        names = [f"n{number}-{each}" for each in range(10)]
        at_once(database, org, *[lambda work: says(work, *names) for _ in range(4)])  # noqa: B023
    with database.connect() as connection:
        assert len(registered(open_work(connection, org, NOW))) == 50
