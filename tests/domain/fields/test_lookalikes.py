"""Fields with similar names (contract §10)."""

import pytest

from halo_engine.domain.fields.catalogue import resolve
from halo_engine.domain.fields.lookalikes import look_alikes


@pytest.mark.parametrize(
    ("wanted", "other"),
    [
        ("custom:role", "custom:intercom_role"),
        ("custom:role", "custom:Role"),
        ("custom:role", "custom:userRole"),
        ("custom:role", "custom:roles"),
        ("custom:role", "company.custom:role"),
        ("custom:plan", "stripe:plan"),
        ("custom:signed_up_at", "signed_up_at"),
        ("signed_up_at", "custom:signedUpAt"),
        ("custom:team-size", "custom:team size"),
        ("custom:größe", "custom:GRÖSSE"),
    ],
)
def test_similar_names_are_alike(wanted: str, other: str) -> None:
    """They have the same words, one name within the other, or a similar spelling."""
    one, two = resolve(wanted), resolve(other)
    assert look_alikes(one, [two]) == [two]
    assert look_alikes(two, [one]) == [one]


@pytest.mark.parametrize(
    ("wanted", "other"),
    [
        ("custom:role", "custom:plan"),
        ("custom:role", "custom:patrol"),
        ("custom:id", "custom:account_id"),
        ("mrr", "arr"),
        ("custom:plan", "plan"),
        ("custom:plan", "lead:plan"),
        ("custom:___", "custom:role"),
    ],
)
def test_other_names_are_not_alike(wanted: str, other: str) -> None:
    """These have other words or words too short to tell, or are other names of the same value."""
    assert look_alikes(resolve(wanted), [resolve(other)]) == []


def test_the_likeliest_come_first_and_five_are_enough() -> None:
    """The same words come first, then one within the other, then a similar spelling."""
    names = ["rolle", "a_role", "b_role", "c_role", "d_role", "e_role", "ROLE"]
    known = [resolve(f"custom:{name}") for name in names]
    assert [each.attribute for each in look_alikes(resolve("role"), known)] == [
        "ROLE",
        "a_role",
        "b_role",
        "c_role",
        "d_role",
    ]
