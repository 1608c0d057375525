"""A definition is said in the documents' in-app words (contract §17)."""

from typing import Any

import pytest

from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.fields.operators import Operator
from halo_engine.domain.phrases import OPERATOR_WORDS
from halo_engine.domain.reasons import AudienceType, ContactTypeChoice, EntryTrigger
from halo_engine.domain.rules_panel.filter_rows import row_of
from halo_engine.domain.rules_panel.filter_sentences import sentence_of
from halo_engine.domain.rules_panel.labels import CONTACT_TYPES, SOURCES, TRIGGERS
from halo_engine.domain.rules_panel.sentences import in_words
from halo_engine.domain.rules_panel.step_sentences import limits_in_words, what_it_does
from halo_engine.domain.series.choices import choices_for
from halo_engine.domain.series.definition import SeriesDefinition, StepDefinition
from halo_engine.domain.series.exits import EXIT_RULES


def test_every_choice_has_a_label_of_its_own() -> None:
    """Every choice has a label, and no two have the same."""
    assert list(TRIGGERS) == list(EntryTrigger)
    assert list(CONTACT_TYPES) == list(ContactTypeChoice)
    assert list(SOURCES) == list(AudienceType)
    assert list(OPERATOR_WORDS) == list(Operator)
    for labels in (TRIGGERS.values(), CONTACT_TYPES.values(), SOURCES.values()):
        assert len({label.text for label in labels}) == len(labels)
    assert [rule.label for rule in EXIT_RULES if rule.is_listed] == [
        "Completes the series",
        "Unsubscribes",
        "Replies to an email",
        "No longer matches the audience filter",
        "Triggers an event",
        "Matches an exit filter",
        "Manual removal only",
    ]


def test_spans_and_questions_are_sentences_too() -> None:
    """A span follows the count; an operator without a value ends the sentence (contract §22)."""
    count = {"field": "event:paid", "operator": "lt", "value": 1}
    assert [
        sentence_of(Filter.model_validate(each))
        for each in (
            {**count, "within": "30d"},
            {**count, "within": "1h"},
            {"field": "role", "operator": "is_set"},
            {"field": "signed_up_at", "operator": "is_empty"},
        )
    ] == [
        "Times ‘paid’ fired is less than 1 in the last 30 days",
        "Times ‘paid’ fired is less than 1 in the last 1 hour",
        "Role is set",
        "Signed Up is empty",
    ]


@pytest.mark.parametrize(
    ("field", "operator", "value", "said"),
    [
        ("role", "is", "owner", "Role is ‘owner’"),
        ("custom:role", "is_not", "owner", "Role is not ‘owner’"),
        ("custom:intercom_role", "is", "user", "‘intercom_role’ is ‘user’"),
        ("signed_up_at", "after", "2026-05-27", "Signed Up is on or after 2026-05-27"),
        ("signed_up_at", "after", "-30d", "Signed Up is on or after 30 days ago"),
        ("last_seen", "before", "-1h", "Last seen is before 1 hour ago"),
        ("stripe:trial_end", "before", "+2d", "Stripe: Trial end is before 2 days from now"),
        ("company.mrr", "gte", 12000, "Company: MRR (in cents) is at least 12000"),
        ("company.custom:tier", "contains", "go", "Company: ‘tier’ contains ‘go’"),
        ("lead:name", "is", "Ann", "Lead: Name is ‘Ann’"),
        ("event:paid", "is", 0, "Times ‘paid’ fired is 0"),
        ("custom:x\u202e<b>", "is", True, "‘x\\u202e<b>’ is true"),
    ],
)
def test_a_filter_is_a_sentence(field: str, operator: str, value: Any, said: str) -> None:
    """A filter is said with its field's label and its operator in words; relative dates are said as
    such.
    """
    item = Filter.model_validate({"field": field, "operator": operator, "value": value})
    assert sentence_of(item) == said


def test_a_definition_is_said_part_by_part() -> None:
    """What is off is left out; groups are joined by "or", their filters by "and"."""
    role = {"field": "role", "operator": "is", "value": "owner"}
    from_sdk = {"field": "source", "operator": "is", "value": "sdk"}
    definition = SeriesDefinition.model_validate(
        {
            "entry_trigger": "event",
            "audience_type": "segment",
            "contact_type": "user",
            "audience_filters": [[role, from_sdk], [from_sdk]],
            "settings": {
                "entry_event_name": "trial_started",
                "entry_patience": "90m",
                "one_per_address": True,
                "reenroll_enabled": True,
                "reenroll_delay_days": 1,
                "goal_enabled": True,
                "goal_filters": [from_sdk],
                "exit_rules": ["event", "replied"],
                "exit_event_name": "paid",
            },
        }
    )
    assert list(in_words(definition)) == [
        ("Trigger", "Triggers an event: ‘trial_started’"),
        (
            "Patience",
            (
                "For 90 minutes after it, a contact who lacks what the audience asks for may still "
                "enter."
            ),
        ),
        ("Contact type", "Users only"),
        (
            "Audience",
            "Filter by criteria: (Role is ‘owner’ and Source is ‘sdk’), or (Source is ‘sdk’)",
        ),
        ("One per address", "At most one contact of each address is in it."),
        ("Re-enrollment", "Contacts can enter again 1 day after they entered last."),
        ("Goal", "Source is ‘sdk’, within 30 days of entry"),
        ("Exit", "Completes the series; Replies to an email; Triggers an event: ‘paid’"),
    ]


def test_a_step_says_how_late_it_may_be_and_that_caps_let_it_pass() -> None:
    """What else decides whether an email is sent is said beside its window (contract §20)."""
    step = {"key": "a", "email": {"subject": "A", "body": "A"}}
    assert [*limits_in_words(StepDefinition.model_validate(step))] == []
    limited = {**step, "send_by": "90m", "ignore_caps": True}
    assert [*limits_in_words(StepDefinition.model_validate(limited))] == [
        "skipped if not sent within 90 minutes of when it is due",
        "not held back by frequency caps",
    ]


def test_what_is_said_of_a_series_emails_follows_its_rules() -> None:
    """Only where it is not as usual: the window, caps, machines, the guarantee."""
    window = {"days": ["mon", "tue", "wed"], "from": "09:00", "to": "17:00", "timezone": "contact"}
    settings = {
        "send_window": window,
        "when_capped": "skip",
        "count_machine_opens": True,
        "delivery_guarantee": "at_least_once",
    }
    definition = SeriesDefinition.model_validate(
        {"entry_trigger": "manual", "kind": "marketing", "settings": settings}
    )
    assert list(in_words(definition))[4:] == [
        ("Kind of mail", "Marketing"),
        ("Send window", "Mon to Wed, 09:00 to 17:00 on the contact's clock"),
        ("When capped", "An email that caps hold back is skipped, and the contact goes on."),
        ("Machines", "What machines open and click passes conditions, as what people do."),
        (
            "Delivery",
            "An email whose sending cannot be known is sent again: rather twice than not at all.",
        ),
    ]


def test_a_gate_says_its_filters_as_sentences() -> None:
    """And that it opens as soon as its event fires (contract §21)."""
    gate = {
        "type": "event_fired",
        "value": "paid",
        "filters": [
            [{"field": "event.amount", "operator": "gte", "value": 100}],
            [{"same": "order_id"}],
        ],
        "early": True,
    }
    assert what_it_does(StepDefinition.model_validate({"key": "b", "condition": gate})) == (
        "Goes on only if ‘paid’, with (Event: ‘amount’ is at least 100), or (‘order_id’ as in the "
        "event that began the run), fired while waiting here, and as soon as it does"
    )


@pytest.mark.parametrize(
    ("written", "said", "choices"),
    [
        (
            {"field": "list:news", "operator": "is_not", "value": True},
            "On the list ‘news’ is not true",
            (),
        ),
        (
            {"field": "series:tour", "operator": "is", "value": "not_met"},
            "Stage in the series ‘tour’ is ‘not_met’",
            ("never", "active", "completed", "exited", "not_met"),
        ),
    ],
)
def test_lists_and_series_are_picked_and_said_as_fields(
    written: dict[str, Any], said: str, choices: tuple[str, ...]
) -> None:
    """The builder offers what they can be, takes no other operator, and gives the filter back as it
    was (contract §17, §22).
    """
    item = Filter.model_validate(written)
    row = row_of(item)
    assert sentence_of(item) == said
    assert row.written() == written
    assert row.operators == (Operator.IS, Operator.IS_NOT)
    assert choices_for(item.target) == choices
