"""Generated stages and series: small, so that what is generated meets."""

from typing import Any

from hypothesis import strategies as st

SERIES = ("s1", "s2", "s3")
LISTS = ("news", "tips")
EVENTS = ("ping", "go", "buy")
STEPS = ("a", "b", "c", "d")
STARTS = ("2026-06-01T09:00:00Z", "2027-03-26T22:50:30Z", "2026-10-23T20:07:00Z")
ZONES = ("UTC", "Europe/Berlin", "America/New_York")
CRONS = ("*/15 * * * *", "0 * * * *", "30 2 * * *", "0 6 * * 1-5")
SECRET = "a-secret-of-at-least-thirty-two-bytes!"


def _filter(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


#: Aimed at what the actions write; each type, each kind of field, and some that time turns.
FILTERS = (
    _filter("custom:plan", "is", "pro"),
    _filter("plan", "is_not", "free"),
    _filter("role", "contains", "OWN"),
    _filter("mrr", "gte", 100),
    _filter("custom:score", "gt", 3),
    _filter("custom:beta", "is", True),
    _filter("custom:since", "before", "2026-06-03"),
    _filter("email", "contains", "@a."),
    _filter("contact_type", "is", "lead"),
    _filter("source", "is", "sdk"),
    _filter("on_contract", "is", True),
    _filter("renewal_status", "is", "at_risk"),
    _filter("signed_up_at", "after", "-2d"),
    _filter("created_at", "before", "-1d"),
    _filter("last_seen", "before", "-1d"),
    _filter("last_seen", "after", "-90m"),
    _filter("last_contacted_at", "after", "-1d"),
    _filter("lead:plan", "is", "pro"),
    _filter("company.name", "is_not", "Acme"),
    _filter("company.mrr", "gt", 100),
    _filter("company.custom:tier", "is", "gold"),
    _filter("stripe:subscription_status", "is", "trialing"),
    _filter("stripe:trial_end", "before", "+2d"),
    _filter("event:ping", "gte", 2),
    _filter("event:go", "is", 0),
    _filter("event:ping", "lt", 1) | {"within": "1d"},
    _filter("event:buy", "gte", 2) | {"within": "3d"},
    _filter("list:news", "is", True),
    _filter("list:tips", "is_not", True),
    _filter("series:s1", "is", "active"),
    _filter("series:s1", "is_not", "never"),
    _filter("series:s2", "is", "completed"),
    _filter("series:s2", "is", "exited"),
    *({"field": name, "operator": "is_empty"} for name in ("plan", "lead:plan", "company.name")),
    *({"field": name, "operator": "is_set"} for name in ("email", "custom:score", "signed_up_at")),
)
#: On the events that the actions track.
EVENT_FILTERS = (
    _filter("event.amount", "gte", 100),
    _filter("event.plan", "is", "pro"),
    _filter("event.plan", "is_not", "free"),
    _filter("event.gift", "is", True),
    _filter("event.due", "before", "+2d"),
)
_SAME = {"same": "order"}
CONDITIONS = (
    {"type": "email_opened"},
    {"type": "link_clicked"},
    {"type": "event_fired", "value": "ping"},
    {"type": "event_fired", "value": "buy"},
    {"type": "event_fired", "value": "buy", "early": True},
    {"type": "event_fired", "value": "ping", "early": True, "filters": [[EVENT_FILTERS[0]]]},
    {"type": "event_fired", "value": "go", "early": True, "filters": [[_SAME]]},
    {"type": "event_fired", "value": "buy", "filters": [[_SAME], [EVENT_FILTERS[1]]]},
    {"type": "user_property", "value": "plan=pro"},
    {"type": "user_property", "value": "score > 3"},
    {"type": "user_property", "value": "plan != free"},
    {"type": "user_property", "value": "company.mrr >= 100"},
    {"type": "user_property", "value": "signed_up_at < -1d"},
    {"type": "user_property", "value": "event.amount >= 100"},
    {"type": "user_property", "value": "event.plan != free"},
)
UNUSABLE = ({"type": "event_fired"}, {"type": "user_property", "value": " "})
WINDOWS = (
    {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"},
    {"days": ["sat", "sun"], "from": "22:00", "to": "03:00", "timezone": "Europe/Berlin"},
    {"days": ["sun", "mon", "wed"], "from": "02:15", "to": "02:45"},
    {"days": ["mon", "thu"], "from": "08:30", "to": "11:00", "timezone": "America/New_York"},
    {"days": ["mon", "tue", "wed", "fri"], "from": "07:00", "to": "12:00", "timezone": "contact"},
    {"days": ["tue", "sat", "sun"], "from": "21:00", "to": "09:00", "timezone": "contact"},
)
CAPS = (
    [{"at_most": 1, "within": "24h"}],
    [{"at_most": 1, "within": "30m"}, {"at_most": 3, "within": "4d"}],
    [{"at_most": 2, "within": "7d"}],
)
QUIET_HOURS = (
    {"from": "21:00", "to": "08:00", "timezone": "contact"},
    {"from": "20:00", "to": "09:30"},
    {"from": "02:15", "to": "02:45", "timezone": "Europe/Berlin"},
    {"from": "11:00", "to": "08:30", "timezone": "America/New_York"},
)
RULES = ("unsubscribed", "replied", "segment_leave", "event", "filter_match")

#: The first few are what most contacts pass at some time.
filters = st.one_of(st.sampled_from(FILTERS[:4]), st.sampled_from(FILTERS))
groups = st.one_of(
    filters.map(lambda one: [[one]]),
    st.sampled_from(FILTERS[:4]).map(lambda one: [[one]]),
    st.lists(st.lists(filters, min_size=1, max_size=2), min_size=1, max_size=2),
)
event_groups: st.SearchStrategy[list[Any]] = st.one_of(
    st.just([]),
    st.sampled_from(EVENT_FILTERS[:2]).map(lambda one: [one]),
    st.lists(
        st.lists(st.sampled_from(EVENT_FILTERS), min_size=1, max_size=2), min_size=1, max_size=2
    ),
)
exit_event_groups: st.SearchStrategy[list[Any]] = st.one_of(
    event_groups, st.just([[_SAME]]), st.just([[_SAME, EVENT_FILTERS[0]]])
)
maybe_groups: st.SearchStrategy[list[Any]] = st.just([]) | groups
windows = st.none() | st.sampled_from(WINDOWS)
caps = st.none() | st.sampled_from(CAPS)
quiet_hours = st.none() | st.sampled_from(QUIET_HOURS)
often = st.sampled_from([True, True, False])
#: So tight that a few people fill a span.
surges = st.fixed_dictionaries(
    {
        "at_most": st.sampled_from([1, 1, 1, 2, 2, "auto"]),
        "within": st.sampled_from(["15m", "1h", "90m", "1d"]),
    }
)
patience = st.sampled_from(["0", "30m", "2d", "7d"])
settings = st.fixed_dictionaries(
    {
        "reenroll_enabled": often,
        "one_per_company": st.booleans(),
        "one_per_address": st.booleans(),
    },
    optional={
        "reenroll_delay_days": st.sampled_from([None, None, 1, 3]),
        "entry_patience": patience,
        "exit_rules": st.lists(st.sampled_from(RULES), unique=True, max_size=4),
        "exit_event_name": st.sampled_from([*EVENTS, None]),
        "exit_event_filters": exit_event_groups,
        "exit_filters": maybe_groups,
        "goal_enabled": often,
        "goal_filters": groups,
        "goal_window_days": st.sampled_from([1, 3, 30]),
        "send_window": windows,
        "when_capped": st.sampled_from(["wait", "skip"]),
        "count_machine_opens": st.booleans(),
        "surge": st.none() | surges,
    },
)
#: A save changes one setting or a few.
new_settings = st.fixed_dictionaries(
    {},
    optional={
        "one_per_company": st.booleans(),
        "one_per_address": st.booleans(),
        "entry_patience": patience,
        "reenroll_enabled": st.booleans(),
        "reenroll_delay_days": st.sampled_from([None, 1, 3]),
        "exit_rules": st.lists(st.sampled_from(RULES), unique=True, max_size=4),
        "exit_event_filters": exit_event_groups,
        "exit_filters": maybe_groups,
        "goal_enabled": st.booleans(),
        "goal_filters": maybe_groups,
        "entry_event_filters": event_groups,
        "send_window": windows,
        "count_machine_opens": st.booleans(),
        "surge": st.none() | surges,
    },
)


@st.composite
def steps(draw: st.DrawFn, *, least: int = 1) -> list[dict[str, Any]]:
    """Steps in any order, with keys of four: a later save moves, removes and adds some."""
    keys = draw(st.lists(st.sampled_from(STEPS), unique=True, min_size=least, max_size=4))
    return [draw(_step(key)) for key in keys]


@st.composite
def _step(draw: st.DrawFn, key: str) -> dict[str, Any]:
    step: dict[str, Any] = {"key": key}
    delay = draw(st.sampled_from(["0", "0", "30m", "1d", "3d"]))
    if delay != "0":
        step["delay"] = delay
    if draw(st.integers(0, 3)) == 3:
        step["condition"] = draw(st.sampled_from(CONDITIONS))
        return step
    subject = draw(st.sampled_from([key, f"{key} {{{{ event.plan|none }}}}"]))
    step["email"] = {"subject": subject, "body": f"{key} for {{{{ name|you }}}}"}
    if draw(st.integers(0, 3)) == 3:
        step["send_window"] = draw(windows)
    if draw(st.integers(0, 5)) == 5:
        step["ignore_caps"] = True
    if draw(st.integers(0, 4)) == 4:
        step["send_by"] = draw(st.sampled_from(["1m", "1h", "6h", "2d"]))
    return step


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """A series that can be saved, and mostly activated."""
    trigger = draw(st.sampled_from([*["segment_match", "event"] * 2, "user_created", "manual"]))
    sources = ["all", "all", "segment", "subscription"]
    if trigger == "segment_match":
        sources = ["segment"]
    definition: dict[str, Any] = {
        "entry_trigger": trigger,
        "audience_type": draw(st.sampled_from(sources)),
        "contact_type": draw(st.sampled_from([*["both"] * 6, "user", "lead"])),
    }
    if draw(st.integers(0, 2)):
        definition["kind"] = "marketing"
    if definition["audience_type"] == "segment":
        definition["audience_filters"] = draw(groups)
    if definition["audience_type"] == "subscription":
        definition["subscription"] = draw(st.sampled_from([LISTS[0], *LISTS]))
    definition["settings"] = draw(settings)
    if trigger == "event":
        definition["settings"]["entry_event_name"] = draw(st.sampled_from(EVENTS))
        if draw(st.booleans()):
            definition["settings"]["entry_event_filters"] = draw(event_groups)
    definition["steps"] = draw(steps())
    return definition


#: What a save changes of a series; some of it leaves it unfit to be active.
changes = st.fixed_dictionaries(
    {},
    optional={
        "entry_trigger": st.sampled_from(["segment_match", "event", "user_created", "manual"]),
        "audience_type": st.sampled_from(["all", "segment", "subscription"]),
        "contact_type": st.sampled_from(["both", "user", "lead"]),
        "subscription": st.sampled_from([None, *LISTS, "unknown"]),
        "audience_filters": maybe_groups,
        "settings": new_settings,
        "steps": steps(least=0)
        | st.sampled_from(UNUSABLE).map(lambda unusable: [{"key": "a", "condition": unusable}]),
    },
)
#: The saves that people make most: other filters, other settings, other steps.
edits = st.one_of(
    st.fixed_dictionaries({"steps": steps()}),
    st.fixed_dictionaries({"settings": new_settings}),
    st.fixed_dictionaries({"audience_filters": groups}),
    changes,
)


@st.composite
def stages(draw: st.DrawFn) -> dict[str, Any]:
    """The organisation, its lists and its series, as a scenario file writes them."""
    count = draw(st.sampled_from([1, 2, 2, 3]))
    return {
        "start": draw(st.sampled_from(STARTS)),
        "org": {
            "timezone": draw(st.sampled_from(ZONES)),
            "identity_secret": draw(st.sampled_from([SECRET, None])),
            "reevaluate_cron": draw(st.sampled_from(CRONS)),
            "quiet_hours": draw(quiet_hours),
            "frequency_caps": draw(caps),
        },
        "lists": list(LISTS),
        "series": {key: draw(definitions()) for key in SERIES[:count]},
    }
