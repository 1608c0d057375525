"""Guards, exit rules, conditions and settings are each declared once, in the contract's order."""

from collections.abc import Sequence
from typing import Protocol

import pytest
from pydantic import BaseModel

from halo_engine.domain.reasons import AudienceType, FailReason, SkipReason
from halo_engine.domain.series.conditions import CONDITIONS, RULE_OF, ConditionType
from halo_engine.domain.series.exits import EXIT_RULE_OF, EXIT_RULES, ExitReason
from halo_engine.domain.series.guards import GUARDS, UNREFUSED, ReasonCode
from halo_engine.domain.series.settings import Settings
from halo_engine.organizations.settings import OrganizationSettings
from halo_engine.settings import Settings as InstallationSettings


class _Declared(Protocol):
    @property
    def key(self) -> str: ...

    @property
    def words(self) -> str: ...


class _Written(BaseModel):
    """A series, as far as exit rules look at it."""

    audience_type: AudienceType
    settings: Settings


def _keys(declared: Sequence[_Declared]) -> list[str]:
    return [each.key for each in declared]


def test_every_reason_is_declared_in_its_order() -> None:
    """Guards stand in the order in which they are asked, exit rules as one is stamped (§4, §6)."""
    assert _keys((*GUARDS, *UNREFUSED)) == list(ReasonCode)
    assert _keys(GUARDS) == list(ReasonCode)[: len(GUARDS)]
    assert _keys(EXIT_RULES) == list(ExitReason)
    assert _keys(CONDITIONS) == list(ConditionType)


@pytest.mark.parametrize(
    "declared",
    [(*GUARDS, *UNREFUSED), EXIT_RULES, CONDITIONS, tuple(SkipReason), tuple(FailReason)],
)
def test_every_reason_has_words_for_people(declared: Sequence[_Declared]) -> None:
    """Each reason's words complete a sentence of the reference: small letters, no full stop, none
    twice.
    """
    words = [each.words for each in declared]
    assert all(each and not each.endswith(".") and each != each.upper() for each in words)
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("settings", [Settings, OrganizationSettings, InstallationSettings])
def test_every_setting_says_what_it_is_for(settings: type[BaseModel]) -> None:
    """Every setting has a description, for the JSON Schemas and the reference."""
    assert [name for name, field in settings.model_fields.items() if not field.description] == []


def test_settings_keep_the_order_of_the_documents() -> None:
    """Settings keep the documents' order, in which messages about an unknown key list them."""
    assert list(Settings.model_fields) == [
        "one_per_company",
        "one_per_address",
        "reenroll_enabled",
        "reenroll_delay_days",
        "entry_event_name",
        "entry_event_filters",
        "entry_patience",
        "exit_rules",
        "exit_event_name",
        "exit_event_filters",
        "exit_filters",
        "goal_enabled",
        "goal_filters",
        "goal_window_days",
        "send_window",
        "delivery_guarantee",
        "when_capped",
        "count_machine_opens",
        "surge",
    ]


def test_a_series_lists_the_rules_that_are_not_imposed() -> None:
    """Suppression, the company's seat and a false condition end runs without being listed (§6)."""
    assert [rule.key for rule in EXIT_RULES if rule.is_listed] == [
        "completed",
        "unsubscribed",
        "replied",
        "segment_leave",
        "event",
        "filter_match",
        "manual",
    ]
    silent = _Written(audience_type=AudienceType.ALL, settings=Settings())
    assert [rule.key for rule in EXIT_RULES if rule.is_on(silent)] == [
        "completed",
        "manual",
        "suppressed",
        "company_already_enrolled",
        "condition_not_met",
    ]


@pytest.mark.parametrize(
    ("audience", "settings", "never"),
    [
        ("all", {}, {"unsubscribed", "segment_leave", "event", "filter_match"}),
        ("segment", {}, {"unsubscribed", "event", "filter_match"}),
        ("subscription", {"exit_event_name": "paid"}, {"segment_leave", "filter_match"}),
        (
            "segment",
            {"exit_filters": [{"field": "name", "operator": "is", "value": "x"}]},
            {"unsubscribed", "event"},
        ),
    ],
)
def test_a_rule_without_what_it_asks_about_never_fires(
    audience: str, settings: dict[str, object], never: set[str]
) -> None:
    """A rule needs its audience, its event or its filter, and says what is lacking (§6)."""
    every_rule = [rule.key for rule in EXIT_RULES if rule.is_listed]
    series = _Written.model_validate(
        {"audience_type": audience, "settings": {"exit_rules": every_rule, **settings}}
    )
    assert {rule.key for rule in EXIT_RULES if rule.never_fires(series)} == never
    assert all(EXIT_RULE_OF[ExitReason(key)].lacks for key in never)


@pytest.mark.parametrize(
    ("condition", "value", "problem"),
    [
        ("email_opened", None, None),
        ("link_clicked", "whatever", None),
        ("user_property", " ", "condition user_property needs a value"),
        ("user_property", "plan = pro", None),
        ("event_fired", None, "condition event_fired needs a value"),
        ("event_fired", "paid", None),
    ],
)
def test_a_condition_knows_which_value_it_takes(
    condition: str, value: str | None, problem: str | None
) -> None:
    """Activation check 9 refuses a condition without the value that it needs (§8)."""
    assert RULE_OF[ConditionType(condition)].problem(value) == problem
