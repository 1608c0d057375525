"""Who is in an audience, and for many series at once in one scan of the contacts (contract §3)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from halo_engine.audience.compiler import Subject, predicate
from halo_engine.audience.matching import audience, fits_contact_type, has_address, scan, suppressed
from halo_engine.audience.moments import Moment
from halo_engine.domain.fields.filter_groups import FilterGroups, parse_groups
from halo_engine.domain.reasons import AudienceType, ContactTypeChoice
from halo_engine.tables import subscription_members, subscriptions, suppressions
from tests.audience.people import EXECUTIONS, SUBJECTS, People
from tests.contacts.sandbox import EARLIER, NOW

MOMENT = Moment(NOW, "UTC")
SUBJECT = Subject.of_contacts()


@dataclass(frozen=True)
class Series:
    """What a series says of its audience."""

    audience_type: AudienceType = AudienceType.ALL
    contact_type: ContactTypeChoice = ContactTypeChoice.BOTH
    subscription_id: UUID | None = None
    audience_filters: FilterGroups = ()
    patience: timedelta | None = None


def owners() -> FilterGroups:
    """Return the filter of owners."""
    return parse_groups([{"field": "role", "operator": "is", "value": "owner"}], "filters")


def in_audience(people: People, series: Series) -> str:
    """Return who is in the audience, on each of the executions."""
    held = audience(series, SUBJECT, MOMENT)
    (answer,) = {people.where(SUBJECT, held) for _ in range(EXECUTIONS)}
    return answer


def subscribe(people: People, who: str, list_id: UUID) -> None:
    """Put the contact on the list."""
    people.connection.execute(
        insert(subscription_members).values(
            org_id=people.work.org_id,
            end_user_id=people.ids[who],
            subscription_id=list_id,
            subscribed_at=EARLIER,
        )
    )


def add_list(people: People, key: str) -> UUID:
    """Write a subscription list."""
    made = insert(subscriptions).values(org_id=people.work.org_id, key=key, created_at=EARLIER)
    list_id: UUID = people.connection.execute(made.returning(subscriptions.c.id)).scalar_one()
    return list_id


def suppress(people: People, address: str, **causes: Any) -> None:
    """Suppress an address."""
    people.connection.execute(
        insert(suppressions).values(org_id=people.work.org_id, address=address, **causes)
    )


def test_all_is_every_contact_with_an_email(people: People) -> None:
    """The audience ‘all’ is every contact with an email; an empty one counts as none."""
    people.add_with("email", ann="ann@a.example", empty="", none=None)
    assert in_audience(people, Series()) == "ann"
    assert people.where(SUBJECT, ~has_address(SUBJECT)) == "empty none"


def test_segment_is_whom_the_filters_mean(people: People) -> None:
    """A segment is every contact that passes the filters, with or without an email; without filters
    it is empty.
    """
    people.add_traits("role", ann="owner", bob="member")
    segment = AudienceType.SEGMENT
    assert in_audience(people, Series(segment, audience_filters=owners())) == "ann"
    assert in_audience(people, Series(segment)) == ""


def test_subscription_is_who_is_on_the_list(people: People) -> None:
    """A list audience is the list's subscribers; without a list it is empty."""
    people.add("ann")
    people.add("bob")
    news, tips = add_list(people, "news"), add_list(people, "tips")
    subscribe(people, "ann", news)
    subscribe(people, "bob", tips)
    assert in_audience(people, Series(AudienceType.SUBSCRIPTION, subscription_id=news)) == "ann"
    assert in_audience(people, Series(AudienceType.SUBSCRIPTION)) == ""


@pytest.mark.parametrize(
    ("choice", "passing"), [("both", "lead user"), ("user", "user"), ("lead", "lead")]
)
def test_contact_type_narrows_to_users_or_leads(people: People, choice: str, passing: str) -> None:
    """Users have an external ID, leads have none, and both are everybody."""
    people.add("user")
    people.add("lead", external_id=None)
    held = fits_contact_type(ContactTypeChoice(choice), SUBJECT)
    assert people.where(SUBJECT, held) == passing


def test_suppressed_addresses_are_compared_in_lower_case(people: People) -> None:
    """An address that bounced or unsubscribed is out in any case; another organisation's
    suppressions do not count.
    """
    people.add_with(
        "email", ann="Ann@A.example", bob="bob@a.example", cyd="cyd@a.example", none=None
    )
    suppress(people, "ann@a.example", bounced_at=EARLIER)
    suppress(people, "bob@a.example", unsubscribed_at=EARLIER)
    assert people.where(SUBJECT, suppressed(SUBJECT)) == "ann bob"
    assert people.where(SUBJECT, ~suppressed(SUBJECT)) == "cyd none"


@pytest.mark.parametrize("subject", SUBJECTS)
def test_one_scan_says_of_each_contact_which_series_it_matches(
    people: People, subject: Subject
) -> None:
    """One scan returns the numbers of the series that each contact matches, in the order of the
    predicates.
    """
    acme = people.add_company("acme", name="Acme", custom_fields={"tier": 1})
    people.add("ann", email="ann@a.example", custom_fields={"role": "owner"}, company_id=acme)
    people.add("bob", email="bob@a.example")
    people.add("cyd")
    tier = parse_groups([{"field": "company.custom:tier", "operator": "is", "value": 1}], "filters")
    asked = [
        audience(Series(), subject, MOMENT),
        predicate(owners(), subject, MOMENT),
        predicate(tier, subject, MOMENT),
    ]
    ids = people.ids
    for _ in range(EXECUTIONS):
        assert people.matching(subject, asked) == {
            ids["ann"]: [0, 1, 2],
            ids["bob"]: [0],
            ids["cyd"]: [],
        }


def test_no_series_match_nobody(people: People) -> None:
    """Without any series, no contact matches."""
    people.add("ann")
    assert people.matching(SUBJECT, []) == {people.ids["ann"]: []}


def filters_on(field: str) -> FilterGroups:
    """Return a filter that reads the field."""
    return parse_groups([{"field": field, "operator": "is", "value": "x"}], "filters")


@pytest.mark.parametrize(
    ("field", "joined"),
    [
        ("email", []),
        ("role", ["contact_fields"]),
        ("company.name", ["companies"]),
        ("company.custom:tier", ["companies", "company_fields"]),
    ],
)
def test_a_scan_joins_only_what_is_read(field: str, joined: list[str]) -> None:
    """A scan joins companies and unpacks custom fields only if a predicate reads them."""
    subject = Subject.of_contacts(reads=9)
    source = scan(subject, [predicate(filters_on(field), subject, MOMENT)])
    parts = ("companies ", "contact_fields", "company_fields")
    assert [part.strip() for part in parts if part in str(source)] == joined


def test_custom_fields_of_many_series_are_unpacked_once() -> None:
    """Nine filters name the stored column as often as one filter does."""
    subject = Subject.of_contacts(reads=9)
    asked = [predicate(filters_on(f"custom:k{n}"), subject, MOMENT) for n in range(9)]
    named = [str(scan(subject, some)).count("custom_fields") for some in (asked[:1], asked)]
    assert named[0] == named[1]
    assert not any("custom_fields" in str(each) for each in asked)
