"""What merge fields stand for (contract §3, §9)."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.domain.fields.merge_fields import MergeField
from halo_engine.mail.composing.values import gather_sample_values, gather_values
from halo_engine.pipeline.react import react
from halo_engine.series.lifecycle import activate, find_series
from halo_engine.series.save import parse_definition, save_series
from halo_engine.tables import companies, event_counts
from halo_engine.work import Work
from tests.contacts.sandbox import NOW, add_contact, statements
from tests.mail.post_office import PostOffice

SIGNED_UP = datetime(2026, 5, 27, 23, 30, tzinfo=UTC)


#: Each merge field with the text that it becomes for Ann.
SHOWN = {
    "name": "Ann",
    "email": "ann@a.example",
    "contact_type": "user",
    "signed_up_at": "2026-05-27",
    "mrr": "4900",
    "on_contract": "false",
    "plan": "pro",
    "custom:plan": "pro",
    "custom:seats": "5",
    "custom:beta": "true",
    "custom:tags": "",
    "custom:gone": "",
    "custom:starts_at": "2026-05-28",
    "custom:starts_at:datetime": "2026-05-28 08:30",
    "custom:nobody has it": "",
    "lead:name": "",
    "company.name": "Acme",
    "company.mrr": "12.5",
    "company.custom:tier": "gold",
    "stripe:plan": "team",
    "stripe:cancel_at_period_end": "true",
    "event:paid": "3",
    "event:never": "0",
}


def test_a_field_of_every_kind_has_its_value(office: PostOffice) -> None:
    """Columns, custom fields, the company's, Stripe's, and how often an event fired."""

    def values(work: Work) -> Any:
        contact = _ann(work)
        return gather_values(work, [contact], [MergeField.of(name) for name in SHOWN])[contact]

    assert office.transact(values) == SHOWN


def _ann(work: Work) -> Any:
    """Add a user of a company whose invoice was paid three times."""
    contact = add_contact(
        work,
        "ann",
        name="Ann",
        email="ann@a.example",
        signed_up_at=SIGNED_UP,
        mrr=4900,
        on_contract=False,
        custom_fields={
            "plan": "pro",
            "seats": 5.0,
            "beta": True,
            "tags": ["a"],
            "gone": None,
            "starts_at": "2026-05-28T08:30:00Z",
        },
        company_id=_company(work),
        stripe_plan="team",
        stripe_cancel_at_period_end=True,
    )
    work.connection.execute(
        insert(event_counts).values(
            org_id=work.org_id,
            end_user_id=contact,
            name="paid",
            count=3,
            first_at=NOW,
            last_at=NOW,
        )
    )
    return contact


def _company(work: Work) -> Any:
    made = insert(companies).values(
        org_id=work.org_id,
        external_id="acme",
        name="Acme",
        mrr=12.50,
        custom_fields={"tier": "gold"},
        created_at=NOW,
        updated_at=NOW,
    )
    return work.connection.execute(made.returning(companies.c.id)).scalar_one()


def test_a_lead_has_its_own_fields_and_no_company_has_none(office: PostOffice) -> None:
    """``lead:`` fields are a lead's, and without a company its fields are blank."""

    def values(work: Work) -> Any:
        lead = add_contact(work, None, name="Lee", custom_fields={"role": "owner"})
        fields = [MergeField.of(name) for name in ("lead:name", "lead:custom:role", "company.name")]
        return list(gather_values(work, [lead], fields)[lead].values())

    assert office.transact(values) == ["Lee", "owner", ""]


def test_dates_are_days_where_the_organisation_is(office: PostOffice) -> None:
    """Half past eleven in London is the next day for an organisation in Berlin."""
    abroad = PostOffice(office.database, timezone="Europe/Berlin")

    def values(work: Work) -> Any:
        starts = {"starts_at": "2026-05-27T23:30:00Z"}
        ann = add_contact(work, "ann", signed_up_at=SIGNED_UP, custom_fields=starts)
        names = ("signed_up_at", "signed_up_at:time", "custom:starts_at")
        return gather_values(work, [ann], [MergeField.of(name) for name in names])[ann]

    assert abroad.transact(values) == {
        "signed_up_at": "2026-05-28",
        "signed_up_at:time": "01:30",
        "custom:starts_at": "2026-05-28",
    }


def test_any_number_of_contacts_takes_one_statement(office: PostOffice) -> None:
    """Values of any number of contacts take one statement; unknown and foreign ones are left
    out.
    """
    stranger = PostOffice(office.database).contact("Eve")

    def values(work: Work) -> Any:
        contacts = [add_contact(work, name, name=name) for name in ("a", "b", "c")]
        with statements(work.connection) as seen:
            found = gather_values(work, [*contacts, stranger], [MergeField.of("name")])
        return len(seen), [found[contact]["name"] for contact in contacts], len(found)

    assert office.transact(values) == (1, ["a", "b", "c"], 3)


def test_a_sample_has_the_properties_of_the_latest_run_else_of_the_latest_event(
    office: PostOffice,
) -> None:
    """A mail that is shown or sent as a test has them too, of a draft's contact as well (§21)."""
    fields = [MergeField.of("event.plan"), MergeField.of("event.seats"), MergeField.of("name")]
    data = {
        "entry_trigger": "event",
        "settings": {"entry_event_name": "go"},
        "steps": [{"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}],
    }

    def seen(work: Work) -> Any:
        ann = add_contact(work, "ann", email="ann@a.example")
        save_series(work, "s", parse_definition("s", data))

        def sample() -> Any:
            return dict(gather_sample_values(work, find_series(work, "s"), ann, fields))

        def go(**properties: Any) -> None:
            track(work, TrackCall(event="go", user_id="ann", properties=properties))
            while react(work, 100):
                pass

        found = [sample()]
        go(plan="Gold", seats=7)
        found.append(sample())
        activate(work, "s", "test")
        go(plan="Tin")
        go(plan="Lead")
        return [*found, sample()]

    assert office.transact(seen) == [
        {},
        {"event.plan": "Gold", "event.seats": "7"},
        {"event.plan": "Tin", "event.seats": ""},
    ]
