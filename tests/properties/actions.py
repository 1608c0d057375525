"""Generated actions: a few people, companies and events, so that what is done meets."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from tests.model.world import World
from tests.properties.definitions import EVENTS, LISTS, SERIES, caps, edits, quiet_hours

Action = tuple[str, Any]
Call = dict[str, Any]

USERS = ("u1", "u2", "u3", "u4")
LEADS = ("l1@a.example", "l2@b.example")
EMAILS = ("u1@a.example", "U1@a.example", "u2@b.example", *LEADS)
COMPANIES = ("acme", "beta")
SESSIONS = ("z1", "z2")
MOVES = ("+1m", "+14m", "+15m", "+30m", "+1h", "+90m", "+7h", "+1d", "+2d", "+4d", "+31d")
#: A newcomer's traits, which fulfil the usual filters.
USUAL = {"plan": "pro", "role": "owner", "mrr": 100}
#: Also an old name, names that are none, and a zone whose clock goes back for a month.
TIMEZONES = ("Asia/Tokyo", "America/Los_Angeles", "Asia/Calcutta", "Africa/Casablanca", "Mars", 5)
DATES = ("2026-05-01", "2026-05-31T12:00:00Z", "2026-06-01T11:00:00+02:00", "2026-03-29T02:30:00")

users = st.sampled_from(USERS)
series_keys = st.sampled_from(SERIES)
dates = st.sampled_from(DATES)

traits = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from(EMAILS) | st.none(),
        "name": st.sampled_from(["Ann", "Bob"]),
        "plan": st.sampled_from(["pro", "pro", "free", None]),
        "role": st.sampled_from(["owner", "member"]),
        "score": st.sampled_from([4, 3, 4.5, "high"]),
        "timezone": st.sampled_from(TIMEZONES),
        "beta": st.sampled_from([True, False, "true", 1]),
        "since": st.sampled_from(["2026-06-01", "2026-06-05T00:00:00Z", "soon"]),
        "mrr": st.sampled_from([100, 99, 250.5, None]),
        "on_contract": st.booleans() | st.none(),
        "renewal_status": st.sampled_from(["at_risk", "renewed", None, "unheard_of"]),
        "signed_up_at": dates | st.none(),
    },
)
some_traits = st.one_of(
    st.just({"plan": "pro"}),
    st.just({"plan": "free"}),
    st.just({"mrr": 100}),
    st.just({"mrr": 10}),
    st.just({}),
    traits,
    traits,
)
company_traits = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["Acme", "Beta", None]),
        "mrr": st.sampled_from([50, 500]),
        "tier": st.sampled_from(["gold", "tin"]),
        "since": st.sampled_from(["2026-06-01", 5]),
    },
)
properties = st.fixed_dictionaries(
    {
        "amount": st.sampled_from([100, 100, 250.5, 99, "100", None]),
        "plan": st.sampled_from(["pro", "pro", "free", 5]),
    },
    optional={
        "gift": st.sampled_from([True, False, "true"]),
        "due": st.sampled_from(["2026-06-02", "2026-06-03T09:00:00Z", "soon", 7]),
        "order": st.sampled_from([5, "5", 6, 5.0, None, [5]]),
    },
)


#: After how many runs something may be stopped or erased.
_SEVERAL = 3


def beginnings(world: World) -> list[Action]:
    """Two colleagues and a subscriber, so that the first actions find somebody."""
    return [
        ("identify", _identification(world, "u1", company={"id": "acme"})),
        ("identify", _identification(world, "u2", company={"id": "acme"})),
        ("subscribe", {"contact": "u1", "list": LISTS[0]}),
    ]


def _identification(world: World, user: str, **more: Any) -> Call:
    traits = {} if world.user(user) else {"email": f"{user}@a.example", **USUAL}
    proof = {"user_token_claims": {"user_id": user}} if world.org["identity_secret"] else {}
    return {"user_id": user, "traits": traits, **proof, **more}


@st.composite
def _identify(draw: st.DrawFn, world: World) -> Action:
    user = draw(_known_users(world))
    call = _identification(world, user)
    call["traits"] |= draw(some_traits)
    extra = draw(st.integers(0, 7))
    if extra in (5, 6):
        call["company"] = draw(_company_calls(with_user=False))
    if extra == 7:
        call["session_id"] = draw(st.sampled_from(SESSIONS))
        call["context"] = {"page": "home"}
    return "identify", call


@st.composite
def _company_calls(draw: st.DrawFn, *, with_user: bool) -> Call:
    call: Call = {"id": draw(st.sampled_from(COMPANIES))}
    if draw(st.booleans()):
        call["traits"] = draw(company_traits)
    if with_user and draw(st.integers(0, 3)):
        call["user_id"] = draw(users)
    return call


@st.composite
def _identify_company(draw: st.DrawFn) -> Action:
    return "identify_company", draw(_company_calls(with_user=True))


@st.composite
def _track(draw: st.DrawFn, world: World) -> Action:
    call: Call = {"event": draw(st.sampled_from((*_named_events(world), *EVENTS)))}
    whose = draw(st.integers(0, 7))
    if whose < 7:
        call["user_id"] = draw(_known_users(world))
    if whose > 5:
        call["session_id"] = draw(st.sampled_from(SESSIONS))
    if draw(st.integers(0, 2)):
        call["properties"] = draw(properties)
    how = draw(st.integers(0, 9))
    if how >= 6:
        # In minutes; a day is the bound of history. Ahead of now is negative, allowed up to five.
        age = draw(st.sampled_from([0, 5, 180, 1439, 1440, 1441, 4000, -5, -6]))
        call["timestamp"] = (world.now - timedelta(minutes=age)).isoformat()
    if how == 9:
        call["idempotency_key"] = draw(st.sampled_from(["k1", "k2"]))
    return "track", call


@st.composite
def _update(draw: st.DrawFn) -> Action:
    one = st.fixed_dictionaries({"user_id": users | st.just(" "), "traits": some_traits})
    call: Call = {"users": draw(st.lists(one, min_size=1, max_size=3))}
    if draw(st.integers(0, 3)) == 3:
        call["update_only"] = True
    if draw(st.integers(0, 3)) == 3:
        call["dry_run"] = True
    return "update", call


@st.composite
def _import(draw: st.DrawFn) -> Action:
    """A file that puts users on a list, or takes them off; who is new comes with it."""
    named = draw(st.lists(users, min_size=1, max_size=3, unique=True))
    rows = [f"{user},{draw(st.sampled_from(['yes', 'yes', 'no', '']))}" for user in named]
    mapping = {"id": "external_id", "on": f"list:{draw(st.sampled_from(LISTS))}"}
    call: Call = {"text": "\n".join(["id,on", *rows, ""]), "mapping": mapping}
    if draw(st.integers(0, 3)) == 3:
        call["dry_run"] = True
    return "import_csv", call


@st.composite
def _bring(draw: st.DrawFn) -> Action:
    """A contact that others bring: the lead form, a teammate, Stripe."""
    user, email = draw(users), draw(st.sampled_from((*LEADS, *EMAILS)))
    by = draw(
        st.sampled_from([{"email": email}, {"user_id": user}, {"user_id": user, "email": email}])
    )
    match draw(st.sampled_from(["capture_lead", "add_contact", "stripe_subscription"])):
        case "capture_lead":
            return "capture_lead", {"email": email, "traits": draw(some_traits)}
        case "add_contact":
            return "add_contact", {**by, "traits": draw(some_traits)}
    return "stripe_subscription", {**by, **draw(_subscriptions_of_stripe)}


_subscriptions_of_stripe = st.fixed_dictionaries(
    {"status": st.sampled_from(["trialing", "active"])},
    optional={
        "plan": st.sampled_from(["gold", "silver"]),
        "trial_end": st.sampled_from(["2026-05-01", "2026-06-02", "2026-06-05T09:00:00Z"]),
        "cancel_at_period_end": st.booleans(),
    },
)


def _named_events(world: World) -> list[str]:
    """The events that some series waits for, some times over."""
    names = [
        each.definition.settings[name]
        for each in world.series.values()
        for name in (*["entry_event_name"] * 6, "exit_event_name")
    ]
    return [name for name in names if name]


def _known_users(world: World) -> st.SearchStrategy[str]:
    known = [each.external_id for each in world.contacts if each.external_id]
    return st.sampled_from([*known, *known, *known, *USERS])


def _names(world: World) -> st.SearchStrategy[str]:
    known = [each.label for each in world.contacts]
    return st.sampled_from([*known, *known, *known, "u4", "L2@b.example", "nobody"])


@st.composite
def _subscribe(draw: st.DrawFn, world: World) -> Action:
    list_key = draw(st.sampled_from([*LISTS, *LISTS, *LISTS, "unknown"]))
    return "subscribe", {"contact": draw(_names(world)), "list": list_key}


@st.composite
def _unsubscribe(draw: st.DrawFn, world: World) -> Action:
    call: Call = {"contact": draw(_names(world))}
    if draw(st.booleans()):
        call["list"] = draw(st.sampled_from(LISTS))
    return "unsubscribe", call


@st.composite
def _bounce(draw: st.DrawFn, world: World) -> Action:
    return "bounce", {"contact": draw(_names(world))}


@st.composite
def _complain(draw: st.DrawFn, world: World) -> Action:
    return "complain", {"contact": draw(_names(world))}


@st.composite
def _unsuppress(draw: st.DrawFn, world: World) -> Action:
    return "unsuppress", {"contact": draw(_names(world)), "because": "asked by phone"}


@st.composite
def _mail(draw: st.DrawFn, world: World) -> Action:
    """What becomes of a mail that was sent, or at times of one that was not."""
    what = draw(st.sampled_from(["open", "click", "reply"]))
    by = {"by": "machine"} if what != "reply" and draw(st.integers(0, 3)) == 0 else {}
    sent = [
        {"contact": contact, "series": key, "step": step}
        for key in world.series
        for contact, steps in world.sent(key).items()
        for step in dict.fromkeys(steps)
    ]
    if sent and draw(st.integers(0, 9)) < 9:
        return what, {**draw(st.sampled_from(sent)), **by}
    return what, {"contact": draw(_names(world)), "series": draw(series_keys), "step": "a", **by}


@st.composite
def _remove(draw: st.DrawFn, world: World) -> Action:
    active = [{"contact": c, "series": key} for key in world.series for c in world.active(key)]
    if active and draw(st.integers(0, 9)) < 9:
        return "remove", draw(st.sampled_from(active))
    return "remove", {"contact": draw(_names(world)), "series": draw(series_keys)}


@st.composite
def _save(draw: st.DrawFn, world: World) -> Action:
    """A save of a series, or the plan of one."""
    name = draw(st.sampled_from(["save", "save", "plan"]))
    peopled = [key for key in world.series if world.active(key)]
    saved: Call = {draw(st.sampled_from([*peopled, *peopled, *world.series])): draw(edits)}
    return name, {**saved, **({"reschedule": True} if draw(st.integers(0, 3)) == 3 else {})}


@st.composite
def _change_org(draw: st.DrawFn) -> Action:
    if draw(st.booleans()):
        return "change_org", {"frequency_caps": draw(caps)}
    return "change_org", {"quiet_hours": draw(quiet_hours)}


@st.composite
def _operate(draw: st.DrawFn, world: World) -> Action:
    """What the series' state allows, or at times what it does not."""
    allowed = {"draft": "activate", "active": "pause", "paused": "resume"}
    states = {key: each.status for key, each in world.series.items() if each.status in allowed}
    if not states or draw(st.integers(0, 9)) == 9:
        return draw(st.sampled_from(["activate", "pause", "resume"])), draw(series_keys)
    # A series that is not active first: nothing much happens while it waits.
    keys = sorted(states, key=lambda key: states[key] == "active")
    key = draw(st.sampled_from([keys[0], keys[0], *keys]))
    return allowed[states[key]], key


@st.composite
def _stop(draw: st.DrawFn, world: World) -> Action:
    running = [key for key, each in world.series.items() if each.status in ("active", "paused")]
    return "stop", draw(st.sampled_from([*running, *running, *world.series]))


@st.composite
def _erase(draw: st.DrawFn, world: World) -> Action:
    return "erase", {"contact": draw(_names(world))}


@st.composite
def _release(draw: st.DrawFn, world: World) -> Action:
    """Release or discard whoever is held, or at times where nobody is."""
    holding = [key for key, each in world.series.items() if each.held]
    call = {"series": draw(st.sampled_from([*holding, *holding, *holding, *world.series]))}
    how: list[dict[str, Any]] = [{}, {"discard": True}, {"per": "1/1h"}, {"per": "2/90m"}]
    return "release", {**call, **draw(st.sampled_from(how))}


def actions(world: World) -> st.SearchStrategy[Action]:
    """Return the actions that make sense in a world as it is, the usual ones more often."""
    waiting = sum(each.status in ("draft", "paused") for each in world.series.values())
    runs = sum(len(each.runs) for each in world.series.values())
    held = sum(len(each.held) for each in world.series.values())
    weighted: list[tuple[int, st.SearchStrategy[Action]]] = [
        (8 if runs else 3, st.sampled_from(MOVES).map(lambda move: ("at", move))),
        (8, _identify(world)),
        (8, _track(world)),
        (1 + 8 * waiting, _operate(world)),
        (5 if world.outbox else 0, _mail(world)),
        (3, _subscribe(world)),
        (5, _save(world)),
        (4 if held else 0, _release(world)),
        (2, _identify_company()),
        (2, _bring()),
        (1, _update()),
        (1, _import()),
        (1, _unsubscribe(world)),
        (1, _bounce(world)),
        (1, _complain(world)),
        (1, _unsuppress(world)),
        (1 if runs else 0, _remove(world)),
        (1, _change_org()),
        # Rare: what is stopped or erased meets nothing any more.
        *([(1, _stop(world) | _erase(world))] if runs > _SEVERAL else []),
    ]
    numbers = [n for n, (weight, _) in enumerate(weighted) for _ in range(weight)]
    return st.sampled_from(numbers).flatmap(lambda n: weighted[n][1])
