"""The actions of a timeline; each calls the door that applications or operators use."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import Field

from halo_engine.answers.plans.plan import plan
from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.subscriptions import SaveListCall, save_list
from halo_engine.contacts.consent.suppression import BounceCall, ComplaintCall, bounce
from halo_engine.contacts.consent.unsuppress import UnsuppressCall, unsuppress
from halo_engine.contacts.csv_import.text import open_csv, undecoded
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.finding import find_contacts
from halo_engine.contacts.identifying.identify import IdentifyAnswer, IdentifyCall, identify
from halo_engine.contacts.identifying.leads import (
    AddContactCall,
    CaptureLeadCall,
    add_contact,
    capture_lead,
)
from halo_engine.contacts.stripe.subscription import StripeSubscriptionCall, stripe_subscription
from halo_engine.domain.errors import Refusal, bad_input, shown, validated
from halo_engine.doors.series.releasing import ReleaseCall
from halo_engine.enrollment.releasing import discard_everybody, release_at, release_held
from halo_engine.journey.removal import remove, stop_series
from halo_engine.mail.incoming.complaints import complain
from halo_engine.mail.incoming.events import MailCall, click_mail, open_mail, reply_to_mail
from halo_engine.pipeline.batches.import_csv import ImportOrTryCall, import_or_try
from halo_engine.pipeline.batches.update_users import UpdateOrTryCall, update_or_try
from halo_engine.rehearsal.calendar import move_clock, target_of
from halo_engine.rehearsal.confirming import ConfirmCall, follow_confirmation
from halo_engine.rehearsal.mail_settings import MailSettingsCall, change_mail_settings
from halo_engine.rehearsal.mails import read_by, receive_mail
from halo_engine.rehearsal.sandbox import Sandbox
from halo_engine.rehearsal.tokens import signed
from halo_engine.series import lifecycle
from halo_engine.series.files.apply import Saving, apply_definitions
from halo_engine.series.save import parse_definition
from halo_engine.series.versions import Author
from halo_engine.work import Work

BY: Final = "rehearsal"

Action = Callable[[Sandbox, Any], str | None]


def play(sandbox: Sandbox, name: str, value: Any) -> str | None:
    """Play an action and settle; return how its answer differs from the ``expect`` beside it.

    Raises the door's Refusal, and a 400 for an unknown action.
    """
    if name == "at":
        move_clock(sandbox, target_of(sandbox, value))
        return None
    if name == "repeat":
        return _repeat(sandbox, value)
    if name not in ACTIONS:
        known = ", ".join(("at", "repeat", "expect", *ACTIONS))
        raise bad_input("timeline", f"{shown(name)} is no action; allowed are {known}")
    problem = ACTIONS[name](sandbox, value)
    sandbox.settle()
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


class _Key(Call):
    series: Identifier


def _repeat(sandbox: Sandbox, value: Any) -> str | None:
    """Play an action several times, like a duplicated task."""
    repeated = validated(_Repeat, value, "repeat")
    [(name, action)] = repeated.action.items()
    problems = [play(sandbox, name, action) for _ in range(repeated.times)]
    return next(filter(None, problems), None)


def _mapping(value: Any, action: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise bad_input(action, f"{shown(value)} is no mapping")
    return dict(value)


def _token(sandbox: Sandbox, claims: Any, lasts: timedelta) -> str | None:
    if claims is None:
        return None
    claimed = _mapping(claims, "user_token_claims")
    secret = sandbox.scenario.org.identity_secret
    return None if secret is None else signed(claimed, secret, sandbox.now, lasts)


def _identify(sandbox: Sandbox, value: Any) -> None:
    """Identify a user and its company in one transaction: both or neither."""
    given = _mapping(value, "identify")
    company = given.pop("company", None)
    token = _token(sandbox, given.pop("user_token_claims", None), timedelta(hours=1))
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

    sandbox.answer = sandbox.perform(both).model_dump(mode="json")


def _save(sandbox: Sandbox, value: Any) -> None:
    """Save series, each merged over its last definition; all in one transaction."""
    merged, reschedule = _merged(sandbox, value, "save")
    parsed = {key: parse_definition(key, data) for key, data in merged.items()}
    saving = Saving(Author(BY), reschedule=reschedule)
    sandbox.perform(lambda work: apply_definitions(work, parsed, saving))
    sandbox.definitions |= merged


def _plan(sandbox: Sandbox, value: Any) -> None:
    """Say what saving a series would do; save nothing."""
    merged, reschedule = _merged(sandbox, value, "plan")
    if len(merged) != 1:
        raise bad_input("plan", "plans one series; allowed is one key")
    [(key, data)] = merged.items()
    definition = parse_definition(key, data)
    sandbox.plan = sandbox.perform(lambda work: plan(work, key, definition, reschedule=reschedule))
    sandbox.answer = sandbox.plan.model_dump(mode="json")


def _merged(sandbox: Sandbox, value: Any, action: str) -> tuple[dict[str, dict[str, Any]], bool]:
    """Return the definitions to be saved by key, and whether rows are rescheduled: ``reschedule``
    stands beside the keys.
    """
    changed = _mapping(value, action)
    reschedule = changed.pop("reschedule", False)
    if not isinstance(reschedule, bool):
        problem = f"{shown(reschedule)} is refused; allowed are true and false"
        raise bad_input(f"{action}.reschedule", problem)
    merged = {}
    for key, changes in changed.items():
        last = sandbox.definitions.get(key)
        if last is None:
            raise bad_input(f"{action}.{key}", "there is no such series in this scenario")
        merged[key] = _merge(last, _mapping(changes, f"{action}.{key}"))
    return merged, reschedule


def _merge(last: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge changes over a definition key by key; ``settings`` too."""
    merged = {**last, **changes}
    if "settings" in changes:
        settings = _mapping(changes["settings"], "save: settings")
        merged["settings"] = {**last.get("settings", {}), **settings}
    return merged


def _restart(_sandbox: Sandbox, value: Any) -> None:
    """Do nothing: each action makes a new engine, so no memory is kept anyway."""
    if value not in ({}, None):
        raise bad_input("restart", "takes nothing: {}")


def _door(call: Any, door: Callable[..., Any], name: str) -> Action:
    def perform(sandbox: Sandbox, value: Any) -> None:
        asked = validated(call, _mapping(value, name), name)
        sandbox.answer = sandbox.perform(lambda work: door(work, asked)).model_dump(mode="json")

    return perform


def _operation(change: Callable[..., Any], name: str) -> Action:
    def perform(sandbox: Sandbox, value: Any) -> None:
        key = validated(_Key, {"series": value}, name).series
        sandbox.perform(lambda work: change(work, key, BY))

    return perform


def _bounce(sandbox: Sandbox, value: Any) -> None:
    """Bounce a contact's address; series and step may name the mail that bounced."""
    call = BounceCall(contact=validated(_Bounce, value, "bounce").contact)
    sandbox.perform(lambda work: bounce(work, call))


def _unsuppress(sandbox: Sandbox, value: Any) -> None:
    """Lift an address's suppression, as an operator does."""
    call = validated(UnsuppressCall, value, "unsuppress")
    answer = sandbox.perform(lambda work: unsuppress(work, call))
    sandbox.answer = answer.model_dump(mode="json")


def _update(sandbox: Sandbox, value: Any) -> str | None:
    """Update a batch of users, signed like a backend; an ``expect`` may stand beside it."""
    given = _mapping(value, "update")
    expected = given.pop("expect", None)
    claims = given.pop("user_token_claims", {"scope": "users.update"})
    token = _token(sandbox, claims, timedelta(minutes=5))
    call = validated(UpdateOrTryCall, {**given, "user_token": token}, "update")
    answer = sandbox.perform(lambda work: update_or_try(work, call)).model_dump(mode="json")
    sandbox.answer = {**answer, "errors": [error["index"] for error in answer["errors"]]}
    return _unlike(_as_asked(sandbox, expected, "update"), expected, "update")


def _import_csv(sandbox: Sandbox, value: Any) -> str | None:
    given = _mapping(value, "import_csv")
    expected = given.pop("expect", None)
    if "file" in given:
        if "text" in given:
            raise bad_input("import_csv", "has a text and a file; allowed is one of them")
        file = validated(_File, {"file": given.pop("file")}, "import_csv").file
        given["text"] = _text_of(sandbox, file)
    call = validated(ImportOrTryCall, given, "import_csv")
    answer = sandbox.perform(lambda work: import_or_try(work, call)).model_dump(mode="json")
    sandbox.answer = {**answer, "errors": [error["line"] for error in answer["errors"]]}
    return _unlike(_as_asked(sandbox, expected, "import_csv"), expected, "import_csv")


def _as_asked(sandbox: Sandbox, expected: Any, action: str) -> Mapping[str, Any]:
    """Return the last answer; for a dry run, add 0 for expected series that nobody enters."""
    answer: Mapping[str, Any] = sandbox.answer
    asked = expected.get("starts") if isinstance(expected, Mapping) else None
    if "starts" not in answer or not isinstance(asked, Mapping):
        return answer
    for key in asked:
        if key not in sandbox.definitions:
            raise bad_input(f"{action}.expect.starts.{key}", "there is no such series")
    return {**answer, "starts": {key: answer["starts"].get(key, 0) for key in asked}}


def _text_of(sandbox: Sandbox, file: str) -> str:
    """Return a file's text, decoded as a CSV import decodes it."""
    try:
        with open_csv(sandbox.scenario.path.parent / file) as opened:
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


def _remove(sandbox: Sandbox, value: Any) -> None:
    call = validated(_Remove, value, "remove")

    def removed(work: Work) -> None:
        [contact_id] = find_contacts(work, [call.contact])
        remove(work, contact_id, lifecycle.find_series(work, call.series))

    sandbox.perform(removed)


def _stop(sandbox: Sandbox, value: Any) -> None:
    """Stop a series: everybody leaves it."""
    stop_series(sandbox.perform, validated(_Key, {"series": value}, "stop").series, BY)


def _release(sandbox: Sandbox, value: Any) -> None:
    """Release whoever is held in a series, or discard them."""
    call = validated(ReleaseCall, value, "release")
    if call.discard:
        sandbox.perform(lambda work: discard_everybody(work, call.series))
        return
    if (pace := call.per) is not None:
        sandbox.perform(lambda work: release_at(work, call.series, pace))
        return
    while sandbox.perform(lambda work: release_held(work, call.series)).unfinished:
        pass


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
    "save_list": _door(SaveListCall, save_list, "save_list"),
    "confirm": _door(ConfirmCall, follow_confirmation, "confirm"),
    "change_org": _door(MailSettingsCall, change_mail_settings, "change_org"),
    "unsubscribe": _door(UnsubscribeCall, unsubscribe, "unsubscribe"),
    "bounce": _bounce,
    "complain": _door(ComplaintCall, complain, "complain"),
    "unsuppress": _unsuppress,
    "open": read_by(open_mail, "open"),
    "click": read_by(click_mail, "click"),
    "reply": _door(MailCall, reply_to_mail, "reply"),
    "receive": receive_mail,
    "remove": _remove,
    "erase": _door(EraseContactCall, erase_contact, "erase"),
    "activate": _operation(lifecycle.activate, "activate"),
    "pause": _operation(lifecycle.pause, "pause"),
    "resume": _operation(lifecycle.resume, "resume"),
    "stop": _stop,
    "release": _release,
    "save": _save,
    "plan": _plan,
    "restart": _restart,
}
