"""Writing the steps of a series and their order (contract §17)."""

from typing import Any, Final

import pytest
from hypothesis import given, settings
from playwright.sync_api import Page, expect

from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.domain.errors import Refusal
from halo_engine.domain.roles import Role
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.writing import as_written
from tests.panel.browsing import PHONE, People, Shop, barriers
from tests.panel.rules.panel import definition, press
from tests.properties.definitions import definitions
from workers.web.panel.forms import Form
from workers.web.panel.pages.steps.change import changed, inputs_of

_STEPS: Final[list[dict[str, Any]]] = [
    {
        "key": "hello",
        "email": {"subject": "Hello", "body": "Hi", "headers": {"X-Team": "growth"}},
        "send_window": None,
    },
    {"key": "paid", "delay": "2d", "condition": {"type": "event_fired", "value": "order_paid"}},
    {"key": "thanks", "delay": "1h", "email": {"subject": "Thanks", "body": "Thank you"}},
]


@pytest.fixture
def welcome(shop: Shop) -> Shop:
    """A shop with a draft of three steps."""
    shop.draft("welcome", steps=_STEPS)
    return shop


def _order(shop: Shop) -> list[str]:
    return [step["key"] for step in definition(shop, "welcome")["steps"]]


def _open(page: Page, path: str = "/steps") -> Page:
    page.goto(f"/series/welcome{path}")
    return page


def test_i_write_the_first_email_of_a_new_series(people: People, shop: Shop) -> None:
    """An empty page says what to do; it works without a script."""
    shop.draft("welcome", steps=[])
    page = _open(people.of(shop, Role.EDITOR, java_script_enabled=False))
    expect(page.locator(".empty")).to_contain_text("There is no step yet.")
    page.get_by_role("link", name="Add email").click()
    page.get_by_label("Key").fill("hello")
    page.get_by_label("Delay").fill("30m")
    page.get_by_label("Subject").fill("Hi {{ name|there }}")
    page.get_by_label("Text").fill("One\n\nTwo")
    press(page, "Save")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    assert definition(shop, "welcome")["steps"] == [
        {
            "key": "hello",
            "delay": "30m",
            "email": {"subject": "Hi {{ name|there }}", "body": "One\n\nTwo"},
        }
    ]


def test_i_add_a_condition(people: People, welcome: Shop) -> None:
    """After the steps that are there."""
    page = _open(people.of(welcome))
    page.get_by_role("link", name="Add condition").click()
    page.get_by_label("Key").fill("is_pro")
    page.get_by_label("A contact goes on only if").select_option("user_property")
    page.get_by_label("Value").fill("plan=pro")
    press(page, "Save")
    expect(page.locator("#steps > li").last).to_contain_text("Goes on only if ‘plan=pro’ holds")
    assert _order(welcome) == ["hello", "paid", "thanks", "is_pro"]


def test_i_write_what_the_event_said_by_pickers(people: People, shop: Shop) -> None:
    """A merge field goes where I wrote last; a filter takes the type that the property has."""
    event = {"entry_trigger": "event", "settings": {"entry_event_name": "order_paid"}}
    shop.draft("welcome", **event, steps=_STEPS)
    shop.sandbox.contacts(["ann"])
    bought = {"amount": 5, "plan_name": "Pro"}
    shop.sandbox.perform(
        lambda work: track(work, TrackCall(event="order_paid", user_id="ann", properties=bought))
    )
    page = _open(people.of(shop), "/steps/hello")
    page.get_by_label("Subject").press("End")
    page.get_by_text("Merge fields", exact=True).click()
    page.get_by_role("button", name="{{ event.plan_name|… }}").click()
    expect(page.get_by_label("Subject")).to_have_value("Hello{{ event.plan_name|… }}")
    page.goto("/series/welcome")
    place = "settings.entry_event_filters"
    page.locator(f"[id='{place}']").get_by_role("button", name="Add filter").click()
    field = page.locator(f"[name='{place}[0][0].field']")
    expect(field).to_be_focused()
    offered = page.locator(f"[id='{place}-seen'] option")
    expect(offered).to_have_count(2)
    assert offered.evaluate_all("all => all.map(each => each.value).sort()") == [
        "event.amount",
        "event.plan_name",
    ]
    field.fill("event.amount")
    field.press("Tab")
    expect(page.locator(f"[name='{place}[0][0].type']")).to_have_value("number")


_GATE: Final = [
    [{"field": "event.amount", "operator": "gte", "value": 100}],
    [{"same": "order_id"}],
]


@pytest.fixture
def bought(welcome: Shop) -> Shop:
    """The same shop, whose app sent an event with an amount."""
    welcome.sandbox.contacts(["ann"])
    paid = TrackCall(event="order_paid", user_id="ann", properties={"amount": 5, "order_id": "a1"})
    welcome.sandbox.perform(lambda work: track(work, paid))
    return welcome


def test_i_narrow_the_event_of_a_gate_and_let_it_open_early(people: People, bought: Shop) -> None:
    """Its filters are built as those of the audience: properties are offered, with types (§21)."""
    page = _open(people.of(bought), "/steps/paid")
    page.get_by_role("button", name="Add filter", exact=True).click()
    field = page.locator("[name='filters[0][0].field']")
    expect(field).to_be_focused()
    expect(page.locator("#filters-seen option")).to_have_count(2)
    field.fill("event.amount")
    field.press("Tab")
    expect(page.locator("[name='filters[0][0].type']")).to_have_value("number")
    page.locator("[name='filters[0][0].operator']").select_option("gte")
    page.locator("[name='filters[0][0].value']").fill("100")
    page.get_by_role("button", name="Add group").click()
    page.locator("[name='filters[1][0].field']").fill("event.order_id")
    page.locator("[name='filters[1][0].field']").press("Tab")
    page.locator("[name='filters[1][0].operator']").select_option("same")
    expect(page.locator("[name='filters[1][0].value']")).to_have_count(0)
    page.get_by_label("As soon as the event fires").check()
    press(page, "Save")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    assert definition(bought, "welcome")["steps"][1]["condition"] == {
        "type": "event_fired",
        "value": "order_paid",
        "filters": _GATE,
        "early": True,
    }


def test_i_build_a_gate_without_a_script(people: People, bought: Shop) -> None:
    """The same buttons do the same; nothing is saved before I say so."""
    page = _open(people.of(bought, java_script_enabled=False), "/steps/paid")
    page.get_by_role("button", name="Add filter", exact=True).click()
    page.locator("[name='filters[0][0].field']").fill("event.amount")
    press(page, "Show what fits")
    page.locator("[name='filters[0][0].operator']").select_option("gte")
    page.locator("[name='filters[0][0].value']").fill("100")
    page.get_by_role("button", name="Add filter to group 1").click()
    page.get_by_role("button", name="Remove filter 2 of group 1").click()
    assert definition(bought, "welcome")["steps"] == _STEPS
    press(page, "Save")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    assert definition(bought, "welcome")["steps"][1]["condition"]["filters"] == _GATE[:1]


def test_what_is_wrong_with_a_filter_of_a_gate_is_said_beside_it(
    people: People, welcome: Shop
) -> None:
    """At the field, and at the value that nobody wrote."""
    page = _open(people.of(welcome), "/steps/paid")
    page.get_by_role("button", name="Add filter", exact=True).click()
    page.locator("[name='filters[0][0].field']").fill("event.amount")
    press(page, "Save")
    expect(page.locator("[id='filters[0][0]-error']")).to_contain_text("is empty; write a value")
    page.locator("[name='filters[0][0].field']").fill("amount")
    page.locator("[name='filters[0][0].value']").fill("100")
    press(page, "Save")
    expect(page.locator("[id='filters[0][0]-error']")).to_contain_text("allowed is event.NAME")
    expect(page.locator("[name='filters[0][0].value']")).to_have_value("100")
    assert definition(welcome, "welcome")["steps"] == _STEPS


def test_what_i_changed_again_at_once_keeps_no_connection(people: People, welcome: Shop) -> None:
    """Only the last of eight changes counts, and the answers to the others are over too."""
    page = _open(people.of(welcome), "/steps/paid")
    page.get_by_label("Value").evaluate(
        """input => {
            for (let n = 0; n < 8; n++) input.dispatchEvent(new Event("change", {bubbles: true}));
        }"""
    )
    page.wait_for_load_state("networkidle")
    expect(page.get_by_label("Value")).to_have_value("order_paid")


@pytest.mark.parametrize(("path", "label"), [("hello", "Text"), ("paid", "Delay")])
def test_what_i_typed_in_a_step_outlives_my_session(
    people: People, welcome: Shop, path: str, label: str
) -> None:
    """It is back when I come again, and gone once it is saved."""
    page = _open(people.of(welcome), f"/steps/{path}")
    page.get_by_label(label).fill("9d")
    _open(page, f"/steps/{path}")
    expect(page.get_by_text("What you typed before and did not save is back.")).to_be_visible()
    expect(page.get_by_label(label)).to_have_value("9d")
    press(page, "Save")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    _open(page, f"/steps/{path}")
    expect(page.get_by_label(label)).to_have_value("9d")
    expect(page.locator("#kept")).to_be_empty()


def test_i_change_a_subject_and_nothing_else_changes(people: People, welcome: Shop) -> None:
    """What has no input stays: headers, the window."""
    page = _open(people.of(welcome))
    page.get_by_role("link", name="Edit hello").click()
    page.get_by_label("Subject").fill("Good morning")
    press(page, "Save")
    expect(page.locator("#steps > li").first).to_contain_text("Good morning")
    changed = {**_STEPS[0], "email": {**_STEPS[0]["email"], "subject": "Good morning"}}
    assert definition(welcome, "welcome")["steps"] == [changed, *_STEPS[1:]]


def test_i_move_and_remove_steps_by_keyboard(people: People, welcome: Shop) -> None:
    """Each button says which step it moves."""
    page = _open(people.of(welcome))
    page.get_by_role("button", name="Move thanks up").press("Enter")
    expect(page.locator("#steps > li").nth(1)).to_contain_text("Thanks")
    page.get_by_role("button", name="Move hello down").press("Enter")
    expect(page.locator("#steps > li").first).to_contain_text("Thanks")
    page.get_by_role("button", name="Remove paid").press("Enter")
    expect(page.locator("#steps > li")).to_have_count(2)
    assert _order(welcome) == ["thanks", "hello"]


def test_what_is_wrong_is_said_where_i_typed_it(people: People, welcome: Shop) -> None:
    """And what I typed is still there."""
    page = _open(people.of(welcome), "/steps/hello")
    page.get_by_label("Delay").fill("soon")
    page.get_by_label("Text").fill("Hi {{ nonsense }}")
    press(page, "Save")
    expect(page.locator("#delay-error")).to_contain_text("is not a duration")
    expect(page.locator("#body-error")).to_be_visible()
    expect(page.get_by_label("Delay")).to_have_value("soon")
    assert definition(welcome, "welcome")["steps"] == _STEPS


def test_somebody_who_saved_meanwhile_is_not_overwritten(people: People, welcome: Shop) -> None:
    """What I typed stays on my screen."""
    mine, theirs = _open(people.of(welcome), "/steps/hello"), _open(people.of(welcome, name="Ben"))
    theirs.get_by_role("button", name="Remove paid").click()
    mine.get_by_label("Subject").fill("Mine")
    press(mine, "Save")
    expect(mine.locator(".notice.bad")).to_be_visible()
    expect(mine.get_by_label("Subject")).to_have_value("Mine")
    assert _order(welcome) == ["hello", "thanks"]


def test_in_a_live_series_i_see_first_whom_a_change_reaches(people: People, shop: Shop) -> None:
    """A step that goes lets those who wait at it walk on; then it is saved."""
    shop.sandbox.series("welcome", entry_trigger="user_created", steps=_STEPS)
    shop.sandbox.signal(shop.sandbox.contacts(["ann", "ben"]))
    shop.sandbox.settle()
    page = _open(people.of(shop))
    page.get_by_role("button", name="Remove paid").click()
    expect(page.locator("#fates")).to_contain_text("2 contacts are in it now")
    assert _order(shop) == ["hello", "paid", "thanks"]
    press(page, "Save")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    assert _order(shop) == ["hello", "thanks"]


def test_a_viewer_reads_the_steps_and_sees_no_control(people: People, welcome: Shop) -> None:
    """Nor may one change them by address."""
    page = _open(people.of(welcome, Role.VIEWER))
    expect(page.locator("#steps > li")).to_have_count(3)
    assert page.locator("main button, main .button").count() == 0
    answer = page.goto("/series/welcome/steps/hello")
    assert answer is not None
    assert answer.status == 403


def test_fifty_steps_are_a_light_page(people: People, shop: Shop) -> None:
    """At most 1,500 nodes, on the page of the rules too; a count that follows brings its cards
    alone.
    """
    steps = [{**_STEPS[2], "key": f"mail{number}"} for number in range(50)]
    shop.draft("welcome", steps=steps)
    page = people.of(shop)
    with page.expect_response(lambda answer: answer.request.method == "POST") as counting:
        _open(page, "")
    assert "nobody enrolls" in counting.value.text()
    assert "<form" not in counting.value.text()
    for path in ("", "/steps", "/progress?counted"):
        _open(page, path)
        expect(page.locator("#cards [data-counting]")).to_have_count(0)
        assert page.evaluate("document.querySelectorAll('*').length") <= 1500


@pytest.mark.parametrize("step", ["", "gone"])
@pytest.mark.parametrize("button", ["up", "down", "remove"])
def test_a_button_of_a_step_that_is_not_there_is_refused(button: str, step: str) -> None:
    """It changes nothing."""
    before = SeriesDefinition.model_validate({"entry_trigger": "manual", "steps": _STEPS})
    with pytest.raises(Refusal, match="There is no step"):
        changed(Form((("do", button), ("step", step))), before)


@given(definitions())
@settings(max_examples=60, deadline=None)
def test_a_step_comes_back_from_its_form_as_it_was(data: dict[str, Any]) -> None:
    """With its window, ``send_by``, caps, filters, and what has no input."""
    before = SeriesDefinition.model_validate(data)
    for step in as_written(before).get("steps", ()):
        inputs = inputs_of(step)
        ticked = {name: inputs.pop(name) for name in ("early", "ignore_caps") if name in inputs}
        sent: dict[str, str] = {**inputs, **{name: on for name, on in ticked.items() if on}}
        form = Form((("step", step["key"]), ("do", "save"), *sent.items()))
        assert changed(form, before).definition == before


def test_a_page_from_before_the_builder_takes_no_filter_away() -> None:
    """Its lines of text are refused at the builder."""
    before = SeriesDefinition.model_validate({"entry_trigger": "manual", "steps": _STEPS})
    sent = {**inputs_of(_STEPS[1]), "filters": "event.amount gte 5", "step": "paid", "do": "save"}
    change = changed(Form(tuple(sent.items())), before)
    assert change.definition is None
    assert "an earlier version of this page" in change.faults.of_inputs["filters"]


def test_a_new_step_has_a_key_made_from_what_it_says() -> None:
    """Unless one is typed; each is there once."""
    before = SeriesDefinition.model_validate({"entry_trigger": "manual", "steps": _STEPS})

    def added(**given: str) -> str:
        made = changed(Form((("do", "save"), *given.items())), before).definition
        assert made is not None
        return made.steps[-1].key

    assert added(subject="Hello, {{ name|you }}", body="Hi") == "hello-2"
    assert added(subject="Hello", body="Hi", key="hi") == "hi"
    assert added(type="event_fired", value="Order paid") == "order-paid"
    assert added(type="email_opened") == "email_opened"


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("send_window", "noon", "is no send window"),
        ("send_window", "mon 09:00-17:00 Mars", "Mars"),
        ("send_by", "soon", "is not a duration"),
    ],
)
def test_what_is_wrong_with_when_an_email_may_go_is_said_there(
    name: str, line: str, said: str
) -> None:
    """At the input that says it."""
    before = SeriesDefinition.model_validate({"entry_trigger": "manual", "steps": _STEPS})
    sent = {**inputs_of(_STEPS[2]), name: line, "step": "thanks", "do": "save"}
    change = changed(Form(tuple(sent.items())), before)
    assert change.definition is None
    assert said in change.faults.of_inputs[name]


@pytest.mark.parametrize("path", ["/steps", "/steps/hello", "/new-step?kind=condition"])
def test_the_pages_of_steps_have_no_barriers(people: People, welcome: Shop, path: str) -> None:
    """Neither in the dark nor at 320 px."""
    page = _open(people.of(welcome, viewport=PHONE, color_scheme="dark"), path)
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
