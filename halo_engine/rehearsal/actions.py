"""The actions of a timeline; each calls the door that applications or operators use."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import Field

from halo_engine.audit import Via
from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.companies import IdentifyCompanyCall, identify_company
from halo_engine.contacts.complaints import complain
from halo_engine.contacts.csv_text import open_csv, undecoded
from halo_engine.contacts.finding import find_contacts
from halo_engine.contacts.identify import IdentifyAnswer, IdentifyCall, identify
from halo_engine.contacts.leads import (
    AddContactCall,
    CaptureLeadCall,
    add_contact,
    capture_lead,
)
from halo_engine.contacts.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.mail_events import MailCall, click_mail, open_mail, reply_to_mail
from halo_engine.contacts.stripe import StripeSubscriptionCall, stripe_subscription
from halo_engine.contacts.suppression import BounceCall, ComplaintCall, bounce
from halo_engine.contacts.track import TrackCall, track
from halo_engine.contacts.unsuppress import UnsuppressCall, unsuppress
from halo_engine.contacts.update import UpdateCall, update
from halo_engine.domain.errors import Refusal, bad_input, shown, validated
from halo_engine.journey.removal import remove
from halo_engine.pipeline.import_csv import ImportOrTryCall, import_or_try
from halo_engine.rehearsal.calendar import move_clock, target_of
from halo_engine.rehearsal.stage import Stage
from halo_engine.rehearsal.tokens import signed
from halo_engine.series import lifecycle
from halo_engine.series.save import parse_definition, save_series
from halo_engine.work import Work

BY: Final = "rehearsal"

Action = Callable[[Stage, Any], str | None]


def play(stage: Stage, name: str, value: Any) -> str | None:
    """Play an action and settle; return how its answer differs from the ``expect`` beside it.

    Raises the door's Refusal, and a 400 for an unknown action.
    """
    if name == "at":
        move_clock(stage, target_of(stage, value))
        return None
    if name == "repeat":
        return _repeat(stage, value)
    if name not in ACTIONS:
        known = ", ".join(("at", "repeat", "expect", *ACTIONS))
        raise bad_input("timeline", f"{shown(name)} is no action; allowed are {known}")
    problem = ACTIONS[name](stage, value)
    stage.settle()
    return problem


class _Repeat(Call):
    times: int = Field(ge=1, le=1000)
    action: dict[str, Any] = Field(min_length=1, max_length=1)


class _Bounce(Call):
    contact: Identifier
    series: Identifier | None = None
    step: Identifier | None = None


class _Remove(Call):
    contact: Identifier
    series: Identifier


class _File(Call):
    file: str
    mapping: Any = None


class _Key(Call):
    series: Identifier


def _repeat(stage: Stage, value: Any) -> str | None:
    """Play an action several times, like a duplicated task."""
    repeated = validated(_Repeat, value, "repeat")
    [(name, action)] = repeated.action.items()
    problems = [play(stage, name, action) for _ in range(repeated.times)]
    return next(filter(None, problems), None)


def _mapping(value: Any, action: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise bad_input(action, f"{shown(value)} is no mapping")
    return dict(value)


def _token(stage: Stage, claims: Any, lasts: timedelta) -> str | None:
    if claims is None:
        return None
    claimed = _mapping(claims, "user_token_claims")
    secret = stage.scenario.org.identity_secret
    return None if secret is None else signed(claimed, secret, stage.now, lasts)


def _identify(stage: Stage, value: Any) -> None:
    """Identify a user and its company in one transaction: both or neither."""
    given = _mapping(value, "identify")
    company = given.pop("company", None)
    token = _token(stage, given.pop("user_token_claims", None), timedelta(hours=1))
    call = validated(IdentifyCall, {**given, "user_token": token}, "identify")
    belongs = None
    if company is not None:
        named = {**_mapping(company, "identify.company"), "user_id": call.user_id}
        belongs = validated(IdentifyCompanyCall, named, "identify.company")

    def both(work: Work) -> IdentifyAnswer:
        answer = identify(work, call)
        if belongs is not None:
            identify_company(work, belongs)
        return answer

    stage.answer = stage.perform(both).model_dump(mode="json")


def _save(stage: Stage, value: Any) -> None:
    """Save series, each merged over its last definition; all in one transaction."""
    merged = {}
    for key, changes in _mapping(value, "save").items():
        last = stage.definitions.get(key)
        if last is None:
            raise bad_input(f"save.{key}", "there is no such series in this scenario")
        merged[key] = _merge(last, _mapping(changes, f"save.{key}"))
    parsed = {key: parse_definition(key, data) for key, data in merged.items()}
    stage.perform(lambda work: [save_series(work, key, each) for key, each in parsed.items()])
    stage.definitions |= merged


def _merge(last: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge changes over a definition key by key; ``settings`` too."""
    merged = {**last, **changes}
    if "settings" in changes:
        settings = _mapping(changes["settings"], "save: settings")
        merged["settings"] = {**last.get("settings", {}), **settings}
    return merged


def _restart(_stage: Stage, value: Any) -> None:
    """Do nothing: each action makes a new engine, so no memory is kept anyway."""
    if value not in ({}, None):
        raise bad_input("restart", "takes nothing: {}")


def _door(call: Any, door: Callable[..., Any], name: str) -> Action:
    def perform(stage: Stage, value: Any) -> None:
        asked = validated(call, _mapping(value, name), name)
        stage.answer = stage.perform(lambda work: door(work, asked)).model_dump(mode="json")

    return perform


def _operation(change: Callable[..., Any], name: str) -> Action:
    def perform(stage: Stage, value: Any) -> None:
        key = validated(_Key, {"series": value}, name).series
        stage.perform(lambda work: change(work, key, BY))

    return perform


def _bounce(stage: Stage, value: Any) -> None:
    """Bounce a contact's address; series and step may say which mail came back."""
    call = BounceCall(contact=validated(_Bounce, value, "bounce").contact)
    stage.perform(lambda work: bounce(work, call))


def _unsuppress(stage: Stage, value: Any) -> None:
    """Lift an address's suppression, as an operator does."""
    call = validated(UnsuppressCall, value, "unsuppress")
    answer = stage.perform(lambda work: unsuppress(work, call, Via.COMMAND))
    stage.answer = answer.model_dump(mode="json")


def _update(stage: Stage, value: Any) -> str | None:
    """Update a batch of users, signed like a backend; an ``expect`` may stand beside it."""
    given = _mapping(value, "update")
    expected = given.pop("expect", None)
    claims = given.pop("user_token_claims", {"scope": "users.update"})
    token = _token(stage, claims, timedelta(minutes=5))
    call = validated(UpdateCall, {**given, "user_token": token}, "update")
    answer = stage.perform(lambda work: update(work, call)).model_dump(mode="json")
    stage.answer = {**answer, "errors": [error["index"] for error in answer["errors"]]}
    return _unlike(stage.answer, expected, "update")


def _import_csv(stage: Stage, value: Any) -> str | None:
    given = _mapping(value, "import_csv")
    expected = given.pop("expect", None)
    if "file" in given:
        file = validated(_File, given, "import_csv").file
        given = {"text": _text_of(stage, file), **given}
        del given["file"]
    call = validated(ImportOrTryCall, given, "import_csv")
    answer = stage.perform(lambda work: import_or_try(work, call)).model_dump(mode="json")
    stage.answer = {**answer, "errors": [error["line"] for error in answer["errors"]]}
    return _unlike(_as_asked(stage, expected), expected, "import_csv")


def _as_asked(stage: Stage, expected: Any) -> Mapping[str, Any]:
    """Return the last answer; for a dry run, add 0 for expected series that nobody enters."""
    answer: Mapping[str, Any] = stage.answer
    asked = expected.get("starts") if isinstance(expected, Mapping) else None
    if "starts" not in answer or not isinstance(asked, Mapping):
        return answer
    for key in asked:
        if key not in stage.definitions:
            raise bad_input(f"import_csv.expect.starts.{key}", "there is no such series")
    return {**answer, "starts": {key: answer["starts"].get(key, 0) for key in asked}}


def _text_of(stage: Stage, file: str) -> str:
    """Return a file's text, decoded as a CSV import decodes it."""
    try:
        with open_csv(stage.scenario.path.parent / file) as opened:
            text = opened.read()
    except (OSError, ValueError) as error:
        said = (isinstance(error, OSError) and error.strerror) or error
        raise _unreadable(file, str(said)) from None
    byte = undecoded(text)
    if byte is not None:
        raise _unreadable(file, f"byte 0x{byte:02X} is not {opened.encoding}")
    return text


def _unreadable(file: str, why: str) -> Refusal:
    problem = f"{shown(file)} cannot be read; allowed is a file of UTF-8 or UTF-16 text ({why})"
    return bad_input("import_csv.file", problem)


def _unlike(answer: Mapping[str, Any], expected: Any, action: str) -> str | None:
    if expected is None:
        return None
    wanted = _mapping(expected, f"{action}.expect")
    for key in wanted:
        if key not in answer:
            raise bad_input(
                f"{action}.expect.{key}", f"unknown key; allowed are {', '.join(answer)}"
            )
    seen = {key: answer[key] for key in wanted}
    return None if seen == wanted else f"expected {wanted}, but it is {seen}"


def _remove(stage: Stage, value: Any) -> None:
    call = validated(_Remove, value, "remove")

    def removed(work: Work) -> None:
        [contact_id] = find_contacts(work, [call.contact])
        remove(work, contact_id, lifecycle.find_series(work, call.series))

    stage.perform(removed)


ACTIONS: Final[dict[str, Action]] = {
    "identify": _identify,
    "identify_company": _door(IdentifyCompanyCall, identify_company, "identify_company"),
    "track": _door(TrackCall, track, "track"),
    "update": _update,
    "import_csv": _import_csv,
    "capture_lead": _door(CaptureLeadCall, capture_lead, "capture_lead"),
    "add_contact": _door(AddContactCall, add_contact, "add_contact"),
    "stripe_subscription": _door(
        StripeSubscriptionCall, stripe_subscription, "stripe_subscription"
    ),
    "subscribe": _door(SubscribeCall, subscribe, "subscribe"),
    "unsubscribe": _door(UnsubscribeCall, unsubscribe, "unsubscribe"),
    "bounce": _bounce,
    "complain": _door(ComplaintCall, complain, "complain"),
    "unsuppress": _unsuppress,
    "open": _door(MailCall, open_mail, "open"),
    "click": _door(MailCall, click_mail, "click"),
    "reply": _door(MailCall, reply_to_mail, "reply"),
    "remove": _remove,
    "activate": _operation(lifecycle.activate, "activate"),
    "pause": _operation(lifecycle.pause, "pause"),
    "resume": _operation(lifecycle.resume, "resume"),
    "save": _save,
    "restart": _restart,
}
