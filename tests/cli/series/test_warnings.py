"""The warnings of `halo series check` and `apply`: code, place, and what to do."""

import json
from collections.abc import Sequence

import pytest

from tests.cli.console import Console

#: A series that nothing is to be said of, in which a test puts something wrong.
FINE = """\
    series:
      s:
        kind: KIND
        entry_trigger: TRIGGER
        audience_type: segment
        audience_filters: [{field: FIELD, operator: is_not, value: x}]
        settings: {SETTINGS}
        steps:
          - {key: hello, email: {subject: "SUBJECT", body: "BODY"}}
          - {key: gate, delay: 1d, condition: {GATE}}
    """
WORDS = {
    "KIND": "transactional",
    "TRIGGER": "user_created",
    "FIELD": "plan",
    "SETTINGS": "exit_rules: [replied]",
    "SUBJECT": "Hi {{ name|there }}",
    "BODY": "Hello {{ custom:plan|you }}",
    "GATE": "type: event_fired, value: login",
}


def written(**words: str) -> str:
    """Return the series with these replacements."""
    text = FINE
    for name, fine in WORDS.items():
        text = text.replace(name, words.get(name, fine))
    return text


@pytest.fixture
def known(halo: Console) -> Console:
    """An organisation with a contact that has a plan and a job title, and with events."""
    halo("identify", "ann", "--trait", "plan=pro", "--trait", "job_title=CTO")
    for event in ("login", "login", "trial_started"):
        halo("track", "ann", event)
    return halo


def warned(
    console: Console, text: str, *, tracking: bool = False
) -> Sequence[tuple[str, str, str]]:
    """Return the warnings of a check without refusals."""
    asked = ("series", "check", console.file("s.yaml", text), "--json")
    url = "https://t.halo.example"
    printed = console(*asked, HALO_TRACKING_URL=url) if tracking else console(*asked)
    [checked] = json.loads(printed)
    assert checked["refusals"] == []
    return [(each["code"], each["place"], each["message"]) for each in checked["warnings"]]


def test_nothing_is_said_of_a_series_that_is_fine(known: Console) -> None:
    """If its events fired and its fields were sent, a series has no warning."""
    assert warned(known, written()) == []


@pytest.mark.parametrize(
    ("words", "code", "place", "said"),
    [
        (
            {"TRIGGER": "event", "SETTINGS": "entry_event_name: trial-started"},
            "unknown_event",
            "settings.entry_event_name",
            "The event ‘trial-started’ has never fired. Did you mean ‘trial_started’? `halo ",
        ),
        (
            {"SETTINGS": "exit_rules: [event], exit_event_name: churned"},
            "unknown_event",
            "settings.exit_event_name",
            "The event ‘churned’ has never fired. Those that fire most: ‘login’ or ‘trial_star",
        ),
        (
            {"GATE": "type: event_fired, value: Login"},
            "unknown_event",
            "steps.gate.condition.value",
            "The event ‘Login’ has never fired. Did you mean ‘login’?",
        ),
        (
            {"GATE": "type: user_property, value: 'event:logins > 2'"},
            "unknown_event",
            "steps.gate.condition.value",
            "The event ‘logins’ has never fired. Did you mean ‘login’?",
        ),
        (
            {"GATE": "type: user_property, value: 'event:login.count > 2'"},
            "event_property",
            "steps.gate.condition.value",
            (
                "‘event:login.count’ counts events of the whole name ‘login.count’, and none "
                "fired: it reads no property. ‘event:login’ counts how often ‘login’ fired."
            ),
        ),
        (
            {"GATE": "type: user_property, value: jobtitle = CTO"},
            "unknown_field",
            "steps.gate.condition.value",
            (
                "The field custom:jobtitle has never been sent: it is missing for everybody. Did "
                "you mean ‘custom:job_title’?"
            ),
        ),
        (
            {"FIELD": "custom:tier"},
            "unknown_field",
            "audience_filters[0][0]",
            "The field custom:tier has never been sent: it is missing for everybody. `halo fields`",
        ),
        (
            {"BODY": "Hi {{ custom:jobTitle|you }}"},
            "unknown_field",
            "steps.hello.email.body",
            "The field custom:jobTitle has never been sent",
        ),
        ({"BODY": " "}, "empty_body", "steps.hello.email.body", "The email has no text. Write "),
        (
            {"SETTINGS": "reenroll_delay_days: 3"},
            "reenroll_delay_unused",
            "settings.reenroll_delay_days",
            "Re-enrollment is off, so its delay does nothing. Set reenroll_enabled: true, ",
        ),
        (
            {"BODY": "Bye. To unsubscribe, write to us."},
            "marketing_in_transactional",
            "steps.hello.email.body",
            "‘unsubscribe’ is a word of marketing mail, but the series is transactional: ",
        ),
        (
            {"SUBJECT": "Hi *|FNAME|*"},
            "foreign_template",
            "steps.hello.email.subject",
            "‘*|FNAME|*’ is a merge tag of Mailchimp, ",
        ),
        (
            {"SUBJECT": "Hi %recipient.name%"},
            "foreign_template",
            "steps.hello.email.subject",
            "‘%recipient.name%’ is a recipient variable of Mailgun, ",
        ),
        (
            {"SUBJECT": "Hi %%first_name%%"},
            "foreign_template",
            "steps.hello.email.subject",
            "‘%%first_name%%’ is a personalisation string of Salesforce",
        ),
        (
            {"SUBJECT": "Hi %FIRSTNAME%"},
            "foreign_template",
            "steps.hello.email.subject",
            "‘%FIRSTNAME%’ is a personalisation tag of ActiveCampaign, ",
        ),
        (
            {"SUBJECT": "Hi <%= name %>"},
            "foreign_template",
            "steps.hello.email.subject",
            "‘<%= name %>’ is a tag of ERB or EJS, ",
        ),
    ],
)
def test_each_warning_says_what_is_so_and_what_to_do(
    known: Console, words: dict[str, str], code: str, place: str, said: str
) -> None:
    """One problem gives one warning."""
    [(found_code, found_place, message)] = warned(known, written(**words))
    assert (found_code, found_place) == (code, place)
    assert message.startswith(said)


def test_what_looks_like_a_tag_and_is_none(known: Console) -> None:
    """Percentages and prices in plain text are no template tags."""
    text = "Save 20% today and 30% tomorrow: $5 {now} at 50%. 100%OFF%"
    assert warned(known, written(BODY=text)) == []


def test_marketing_may_say_unsubscribe(known: Console) -> None:
    """Marketing mail has the link."""
    known("org", "change", known.org, "--verified-domain", "--footer", "Acme, 1 Main St")
    assert warned(known, written(KIND="marketing", BODY="unsubscribe")) == []


def test_a_gate_on_opens_before_an_email_or_without_tracking(known: Console) -> None:
    """Such a gate lets nobody pass; after an email and with a tracking URL it may."""
    text = written(GATE="type: email_opened")
    [(code, place, message)] = warned(known, text)
    assert (code, place) == ("mail_not_tracked", "steps.gate.condition")
    assert "HALO_PUBLIC_URL" in message
    assert warned(known, text, tracking=True) == []
    first = text.replace(
        "- {key: hello", "- {key: early, condition: {type: link_clicked}}\n          - {key: hello"
    )
    found = warned(known, first, tracking=True)
    assert [(code, place) for code, place, _ in found] == [
        ("gate_before_email", "steps.early.condition")
    ]


def test_apply_and_show_warn_too(known: Console) -> None:
    """The series is saved; warnings come below the changes, and as comments in `show`."""
    file = known.file("s.yaml", written(SETTINGS="reenroll_delay_days: 3"))
    said = "[reenroll_delay_unused] settings.reenroll_delay_days: Re-enrollment is off, so its "
    assert f"\n  warning {said}" in known("series", "apply", file)
    [applied] = known.json("series", "apply", file)
    assert [each["code"] for each in applied["warnings"]] == ["reenroll_delay_unused"]
    assert f"\n# warning {said}" in known("series", "show", "s")


def test_a_new_organisation_is_told_how_events_come(halo: Console) -> None:
    """Without any event, none can be suggested."""
    text = """\
        series:
          s:
            entry_trigger: event
            settings: {entry_event_name: paid}
            steps: [{key: a, email: {subject: A, body: A}}]
        """
    [(_, _, message)] = warned(halo, text)
    assert message.startswith(
        "The event ‘paid’ has never fired. No event has fired yet: send it with `track`, or test "
    )


def test_a_surge_of_a_manual_series_does_nothing(known: Console) -> None:
    """Its activation is planned, so nobody is held (contract §19)."""
    known("identify", "ann", "--trait", "email=ann@a.example")
    text = """\
        series:
          s:
            entry_trigger: manual
            settings: {surge: {at_most: 5, within: 1h}}
            steps: [{key: a, email: {subject: A, body: A}}]
        """
    [(code, place, message)] = warned(known, text)
    assert (code, place) == ("surge_unused", "settings.surge")
    assert message.startswith("A manual series takes everybody by its activation, ")


def test_lists_and_series_that_are_not_there_are_named(known: Console) -> None:
    """A list or a series that a filter, a goal or a gate names but that is not there; what is there
    is not named, nor is the series itself (contract §22).
    """
    known("list", "create", "news")
    filters = ", ".join(
        f"{{field: {name}, operator: is, value: {value}}}"
        for name, value in (("list:nws", "true"), ("list:news", "true"), ("series:other", "never"))
    )
    text = written(
        SETTINGS="exit_filters: [{field: series:gone, operator: is, value: active}]",
        GATE="type: user_property, value: 'list:old=true'",
    )
    text = text.replace("{field: plan, operator: is_not, value: x}", filters)
    assert warned(known, text) == [
        ("unknown_list", "audience_filters[0][0]", "There is no list ‘nws’ yet: nobody is on it."),
        (
            "unknown_list",
            "steps.gate.condition.value",
            "There is no list ‘old’ yet: nobody is on it.",
        ),
        (
            "unknown_series",
            "audience_filters[0][2]",
            "There is no series ‘other’ yet: it is ‘never’ for everybody.",
        ),
        (
            "unknown_series",
            "settings.exit_filters[0][0]",
            "There is no series ‘gone’ yet: it is ‘never’ for everybody.",
        ),
    ]


def test_a_ring_of_series_is_shown(known: Console) -> None:
    """Series that enroll by a filter, and name themselves or each other in a ring, active or not;
    they may be activated as long as one of them waits, or enrolls once (contract §22).
    """
    one = (
        "audience_type: segment, steps: [{key: a, email: {subject: A, body: A}}], "
        "audience_filters: [{field: series:NAMED, operator: is, value: completed}]"
    )
    matches = "{entry_trigger: segment_match, " + one + "}"
    by_event = "{entry_trigger: event, settings: {entry_event_name: login}, " + one + "}"
    series = {
        "b": matches.replace("NAMED", "c"),
        "c": matches.replace("NAMED", "a"),
        "a": matches.replace("NAMED", "b"),
        "alone": matches.replace("NAMED", "alone"),
        "asks": matches.replace("NAMED", "a"),
        "event": by_event.replace("NAMED", "event"),
    }
    text = "series:\n" + "".join(f"  {key}: {said}\n" for key, said in series.items())
    known("series", "apply", known.file("rings.yaml", text))
    checked = json.loads(known("series", "check", known.file("rings.yaml", text), "--json"))
    rings = {
        each["series"]: warning["message"]
        for each in checked
        for warning in each["warnings"]
        if warning["code"] == "ring_of_series"
    }
    begins, ends = (
        "Audiences name each other in a ring: ",
        ". Whoever moves on in one may enter the next.",
    )
    ring = f"{begins}‘a’ → ‘b’ → ‘c’ → ‘a’{ends}"
    assert rings == {
        "a": ring,
        "b": ring,
        "c": ring,
        "alone": f"{begins}‘alone’ → ‘alone’{ends}",
    }
    assert [each["refusals"] for each in checked] == [[]] * len(series)
