"""The hooks of Stripe and of mail gateways: proven by a signature, taken once (§12)."""

import base64
import gzip
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import func, select, update
from standardwebhooks import Webhook
from stripe import WebhookSignature
from structlog.testing import capture_logs

from halo_engine.contacts.stripe.sync import StripeWebhookCall, stripe_webhook
from halo_engine.domain.errors import validated
from halo_engine.doors.over_http import hooks as taking
from halo_engine.settings import Settings
from halo_engine.tables import (
    end_users,
    event_counts,
    hook_deliveries,
    organizations,
    stripe_passed_over,
)
from halo_engine.work import Work
from tests.mail.incoming.test_receive import BOUNCE, Letterbox
from tests.mail.incoming.test_receive import box as box  # noqa: PLC0414 -- a fixture
from tests.pipeline.sandbox import NOON, Sandbox, new_sandbox
from tests.web.conftest import Web
from tests.web.operating import Answer, Program
from workers.web.app import Application, Held
from workers.web.endpoints import hooks
from workers.web.endpoints.hooks import Hooks
from workers.web.routes import Routes
from workers.web.threads import Threads

SECRET: Final = "whsec_of_the_endpoint"
NEW: Final = "whsec_that_replaces_it"
MAIL: Final = "whsec_" + base64.b64encode(bytes(range(24))).decode()
NEW_MAIL: Final = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BAD: Final = (400, "bad_signature")


def an_event(type_: str = "customer.created", **changes: Any) -> dict[str, Any]:
    """Return an event of Stripe's, at noon."""
    customer = {"id": "cus_ann", "object": "customer", "email": "ann@a.example", "metadata": {}}
    return {
        "id": "evt_1",
        "object": "event",
        "created": int(NOON.timestamp()),
        "type": type_,
        "data": {"object": customer},
        **changes,
    }


@dataclass
class Senders:
    """Stripe and a mail gateway, whose clock is ``now``; and the hooks, whose clock is at noon."""

    sandbox: Sandbox
    now: datetime = NOON
    secrets: str = f"{MAIL},{NEW_MAIL}"
    held: Held = field(default_factory=lambda: Held(1000))
    program: Program = field(init=False)

    def __post_init__(self) -> None:
        keys = Settings(mail_hook_secret=self.secrets).mail_hook_secrets
        threads = Threads(4, 100)
        taken = Hooks(self.sandbox.engine, threads, keys, self._now, self.held)
        self.program = Program(Application(Routes(taken.routes())), "nobody")
        self.set(stripe_endpoint_secret=SECRET)

    def _now(self) -> float:
        return self.sandbox.now.timestamp()

    @property
    def org_key(self) -> str:
        """The key of the sandbox's organisation."""
        return str(self.sandbox.perform(lambda work: work.org.key))

    def set(self, **values: str | None) -> None:
        """Change the organisation's row."""
        with self.sandbox.database.begin() as connection:
            mine = update(organizations).where(organizations.c.id == self.sandbox.org_id)
            connection.execute(mine.values(values))

    def event(self, event: Any, secret: str = SECRET, **changes: Any) -> Answer:
        """Send an event as Stripe does; ``header`` and ``org`` replace what it would say."""
        body = json.dumps(event)
        at = int(self.now.timestamp())
        signed = WebhookSignature.generate_signature_header(body, secret, at)
        header = changes.get("header", signed)
        return self.program(
            "POST",
            f"/api/hooks/stripe/{changes.get('org', self.org_key)}",
            raw=body.encode(),
            stripe_signature=header(signed) if callable(header) else header,
        )

    def mail(self, sent: Any, delivery: str = "msg_1", secret: str = MAIL, **named: str) -> Answer:
        """Send a webhook as a gateway does; ``named`` are headers that are others than its own."""
        body = json.dumps(sent)
        headers = {
            "webhook_id": delivery,
            "webhook_timestamp": str(int(self.now.timestamp())),
            "webhook_signature": Webhook(secret).sign(delivery, self.now, body),
        }
        return self.program("POST", "/api/hooks/mail", raw=body.encode(), **{**headers, **named})

    def contacts(self) -> int:
        """Count the contacts."""
        found = select(func.count()).where(end_users.c.org_id == self.sandbox.org_id)
        return int(self.sandbox.perform(lambda work: work.connection.scalar(found) or 0))


@pytest.fixture
def senders(sandbox: Sandbox) -> Senders:
    """Both senders, of an organisation that has no contact."""
    return Senders(sandbox)


# Whose signature.


def test_an_event_that_stripe_signed_is_taken(senders: Senders) -> None:
    """A signed event is taken and answered as by the task."""
    answer = senders.event(an_event())
    assert (answer.status, answer.body["created"], answer.body["again"]) == (200, True, False)
    assert senders.contacts() == 1


@pytest.mark.parametrize(
    "header",
    [
        lambda signed: f"{signed},v1=00ff,v0=abc",
        lambda signed: signed.replace("v1=", "v1=notinhex,v1="),
        lambda signed: signed.replace(",", ", "),
        lambda signed: signed.replace("v1=", f"v1={'0' * 64},v1="),
    ],
)
def test_any_v1_proves_an_event(senders: Senders, header: Any) -> None:
    """Any of several v1 signatures proves an event, since Stripe signs with both secrets while one
    is replaced.
    """
    assert senders.event(an_event(), header=header).status == 200


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (an_event(), {"secret": "whsec_of_another"}),
        (an_event(), {"secret": ""}),
        (an_event(), {"header": ""}),
        (an_event(), {"header": "t=,v1="}),
        (an_event(), {"header": "nonsense"}),
        (an_event(), {"header": lambda signed: signed.replace("v1=", "v0=")}),
        (an_event(), {"header": lambda signed: signed.replace("t=", "t=1,t=")}),
        (an_event(), {"header": lambda signed: signed.replace("t=", "t=0")}),
        (an_event(), {"header": lambda signed: signed.replace("t=", "t=-")}),
        (an_event(), {"header": lambda signed: signed.partition(",")[0]}),
        (an_event(), {"org": "no-such-organisation"}),
        (an_event(), {"org": "%00"}),
        ("no event, and not signed either", {"header": "t=1780315200,v1=00"}),
    ],
)
def test_what_is_not_proven_is_refused_alike(
    senders: Senders, event: Any, changes: dict[str, Any]
) -> None:
    """Every unproven event has the same refusal, so nobody learns which organisations there are."""
    answer = senders.event(event, **changes)
    assert answer.refusal == BAD
    said = "The signature does not prove the sender; allowed is one by the secret that we know."
    assert (answer.body["detail"], senders.contacts()) == (said, 0)


def test_an_organisation_without_a_secret_takes_nothing(senders: Senders) -> None:
    """Without a secret no event is taken, not even one signed with an empty secret."""
    senders.set(stripe_endpoint_secret=None)
    assert {senders.event(an_event(), secret=each).refusal for each in ("", SECRET)} == {BAD}


def test_the_secret_of_one_organisation_proves_nothing_to_another(
    senders: Senders, other_org: Sandbox
) -> None:
    """One organisation's secret proves nothing to another."""
    Senders(other_org).set(stripe_endpoint_secret=NEW)
    key = other_org.perform(lambda work: work.org.key)
    assert senders.event(an_event(), org=key).refusal == BAD
    assert senders.event(an_event(), NEW, org=key).status == 200


@pytest.fixture
def other_org(sandbox: Sandbox) -> Sandbox:
    """Another organisation of the same database."""
    return new_sandbox(sandbox.database, f"other-{sandbox.org.key}")


def test_both_secrets_work_while_one_replaces_the_other(senders: Senders, admin: Program) -> None:
    """The old secret works beside the new one until an admin revokes it."""
    changed = admin("PUT", "/api/organization", {"stripe_endpoint_secret": NEW})
    shown = {"stripe_endpoint_secret": "***", "old_stripe_endpoint_secret": "***"}
    assert {name: changed.body[name] for name in shown} == shown
    assert {**admin("GET", "/api/organization").body, "breaks": []} == changed.body
    events = [(an_event(id="evt_1"), SECRET), (an_event(id="evt_2"), NEW)]
    assert [senders.event(*each).status for each in events] == [200, 200]
    as_read = {"stripe_endpoint_secret": "***", "old_stripe_endpoint_secret": None}
    admin("PUT", "/api/organization", as_read)
    assert [senders.event(an_event(id="evt_3"), each).status for each in (SECRET, NEW)] == [
        400,
        200,
    ]


# When it was signed.


@pytest.mark.parametrize(("seconds", "status"), [(-301, 400), (-300, 200), (300, 200), (301, 400)])
def test_five_minutes_are_tolerated(senders: Senders, seconds: int, status: int) -> None:
    """A signature may be five minutes old, or five minutes ahead."""
    senders.now = NOON + timedelta(seconds=seconds)
    assert senders.event(an_event()).status == status
    assert senders.mail({"type": "mail.received", "data": {"message": "To: a"}}).status == status


# Taken once.


def test_an_event_that_comes_again_does_nothing(senders: Senders) -> None:
    """An event that comes again within seven days changes nothing, whatever it says."""
    first = senders.event(an_event())
    other = {"id": "cus_bob", "object": "customer", "email": "bob@b.example"}
    changed = an_event(data={"object": other})
    again = senders.event(changed)
    assert (again.status, again.body["again"], again.body["id"]) == (200, True, None)
    senders.sandbox.now = senders.now = NOON + timedelta(days=7)
    assert senders.event(changed).body["again"]
    senders.sandbox.now = senders.now = NOON + timedelta(days=7, seconds=1)
    late = senders.event(changed)
    assert (late.body["again"], late.body["created"]) == (False, True)
    assert late.body["id"] != first.body["id"]


def test_an_event_that_is_refused_is_not_remembered(senders: Senders) -> None:
    """A refused event is taken when it comes again."""
    bare = {"id": "sub_1", "object": "subscription", "customer": "cus_ann", "status": "active"}
    update_ = an_event("customer.subscription.updated", data={"object": bare})
    assert senders.event(update_).refusal == (404, "unknown_contact")
    assert senders.event(an_event(id="evt_0")).status == 200
    assert senders.event(update_).body["again"] is False


def test_an_event_that_we_fail_to_take_is_not_remembered(
    senders: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If taking an event fails, its changes are rolled back with the note of it, and it can come
    again.
    """
    written: list[int] = []

    def fail(work: Work, call: StripeWebhookCall) -> None:
        stripe_webhook(work, call)
        found = select(func.count()).where(end_users.c.org_id == work.org_id)
        written.append(work.connection.scalar(found) or 0)
        raise RuntimeError

    with monkeypatch.context() as broken, capture_logs():
        broken.setattr(taking, "stripe_webhook", fail)
        assert senders.event(an_event()).refusal == (500, "internal_error")
    assert (written, senders.contacts()) == ([1], 0)
    assert senders.event(an_event()).body["created"] is True


def test_one_event_at_the_same_time_is_taken_by_one(senders: Senders) -> None:
    """Of deliveries of one event at once one is taken, and the others wait for its commit."""
    paid = {"id": "in_1", "customer": "cus_ann", "customer_email": "ann@a.example"}
    event = an_event("invoice.payment_failed", data={"object": paid})
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda _: senders.event(event).body["again"], range(4))
    assert sorted(answers) == [False, True, True, True]
    counted = select(event_counts.c.count).where(event_counts.c.org_id == senders.sandbox.org_id)
    assert senders.sandbox.perform(lambda work: work.connection.scalars(counted).all()) == [1]


def test_old_deliveries_are_forgotten(senders: Senders) -> None:
    """New deliveries delete those of more than seven days ago."""
    for number in range(3):
        senders.event(an_event(id=f"evt_{number}"))
    senders.sandbox.now = senders.now = NOON + timedelta(days=8)
    senders.event(an_event(id="evt_new"))
    kept = select(func.count()).where(hook_deliveries.c.org_id == senders.sandbox.org_id)
    assert senders.sandbox.perform(lambda work: work.connection.scalar(kept)) == 1


# What Stripe sends.

_PRICE: Final = {"id": "price_p", "nickname": "Pro", "lookup_key": "pro"}
_SUBSCRIPTION: Final[dict[str, Any]] = {
    "id": "sub_1",
    "object": "subscription",
    "customer": "cus_ann",
    "status": "active",
    "cancel_at_period_end": False,
    "cancel_at": 1792592000,
    "items": {"data": [{"id": "si_1", "price": _PRICE, "current_period_end": 1792592000}]},
    "metadata": {"user_id": "ann"},
}
_INVOICE: Final = {"id": "in_1", "customer": "cus_ann", "amount_paid": 900}
EVENTS: Final = [
    an_event(id="evt_0"),
    an_event("customer.subscription.created", id="evt_1", data={"object": _SUBSCRIPTION}),
    an_event(
        "customer.subscription.updated",
        id="evt_2",
        created=int(NOON.timestamp()) - 60,
        data={"object": {**_SUBSCRIPTION, "status": "trialing", "cancel_at": None}},
    ),
    an_event("invoice.paid", id="evt_3", data={"object": _INVOICE}),
    an_event("invoice.paid", id="evt_4", data={"object": {**_INVOICE, "amount_paid": 0}}),
    an_event("invoice.payment_failed", id="evt_5", data={"object": _INVOICE}),
    an_event("invoice.paid", id="evt_6", data={"object": {**_INVOICE, "customer": None}}),
    {"id": "evt_7", "object": "v2.core.event", "created": "2026-02-15T00:27:45.330Z"},
    an_event("charge.refunded", id="evt_8", data={"object": {"id": "ch_1"}}),
    an_event("customer.subscription.deleted", id="evt_9", data={"object": _SUBSCRIPTION}),
]


def test_the_hook_writes_what_the_task_writes(senders: Senders, other_org: Sandbox) -> None:
    """By hook and by task the same events leave the same rows and answers."""
    for event in EVENTS:
        call = validated(StripeWebhookCall, {"event": event}, "webhook")
        told = other_org.perform(lambda work, call=call: stripe_webhook(work, call))  # type: ignore[misc]
        answer = senders.event(event)
        assert answer.status == 200
        assert (answer.body["event"], answer.body["passed_over"]) == (told.event, told.passed_over)
    assert _rows(senders.sandbox) == _rows(other_org)
    assert len(_rows(senders.sandbox)[1]) == 5


def _rows(sandbox: Sandbox) -> list[list[Any]]:
    tables = {
        end_users: ("external_id", "email", "stripe_plan", "stripe_subscription_status"),
        event_counts: ("name", "count"),
        stripe_passed_over: ("why", "count"),
    }
    return [
        sorted(sandbox.perform(lambda work, asked=asked: work.connection.execute(asked).all()))  # type: ignore[misc]
        for asked in (
            select(*[table.c[name] for name in names]).where(table.c.org_id == sandbox.org_id)
            for table, names in tables.items()
        )
    ]


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ([], "bad_input"),
        ({}, "missing_key"),
        (an_event(id=7), "bad_id"),
        (an_event(data={"object": {"id": ""}}), "bad_id"),
    ],
)
def test_an_event_that_cannot_be_read_is_refused(senders: Senders, event: Any, code: str) -> None:
    """A signed event that cannot be read is refused with what is wrong."""
    assert senders.event(event).refusal == (400, code)


# Mail.


def of_mail(**data: str) -> dict[str, Any]:
    """Return the webhook of a mail."""
    return {"type": "mail.received", "timestamp": "2026-06-01T12:00:00Z", "data": data}


@pytest.fixture
def gateway(box: Letterbox, sandbox: Sandbox) -> Senders:
    """A gateway that sends to the organisation of the letterbox."""
    return Senders(Sandbox(sandbox.database, box.org))


@pytest.mark.parametrize("secret", [MAIL, NEW_MAIL])
@pytest.mark.parametrize("form", ["message", "message_base64"])
def test_a_mail_that_a_gateway_signed_is_taken(
    gateway: Senders, box: Letterbox, form: str, secret: str
) -> None:
    """A signed mail is taken as text or base64, by either secret, as `halo mail receive` takes
    it.
    """
    raw = BOUNCE.replace(b"<0f0e@acme.example>", box.message_id.encode())
    written = raw.decode("latin-1") if form == "message" else base64.encodebytes(raw).decode()
    answer = gateway.mail(of_mail(**{form: written}), secret=secret)
    assert (answer.status, answer.body["kind"], answer.body["suppressed"]) == (
        200,
        "hard_bounce",
        True,
    )
    reply = f"From: ann@a.example\nIn-Reply-To: {box.message_id}\n\nWell, hello."
    again = gateway.mail(of_mail(message=reply), secret=secret)
    assert (again.status, again.body["kind"], again.body["again"]) == (200, "reply", True)
    assert box.state()[0] == [(None,)]


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook_id": ""},
        {"webhook_id": "msg_2"},
        {"webhook_timestamp": ""},
        {"webhook_timestamp": "1780315201"},
        {"webhook_timestamp": "1780315200.5"},
        {"webhook_timestamp": "nan"},
        {"webhook_signature": ""},
        {"webhook_signature": "v1"},
        {"webhook_signature": "v1,???? v1a,abc"},
    ],
)
def test_a_mail_that_is_not_proven_is_refused(senders: Senders, headers: dict[str, str]) -> None:
    """A mail with wrong or missing headers is refused."""
    assert senders.mail(of_mail(message="To: a"), **headers).refusal == BAD


def test_any_signature_of_several_proves_a_mail(senders: Senders) -> None:
    """Any of several signatures proves a mail, since a gateway signs with both secrets while one is
    replaced.
    """
    sent = of_mail(message="To: a")
    signed = Webhook(MAIL).sign("msg_1", NOON, json.dumps(sent))
    assert senders.mail(sent, webhook_signature=f"v1,AAAA {signed}").status == 200


_ONE_OF_TWO: Final = (
    "message: is required, or message_base64 in its place; allowed is one of the two"
)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([], "body: a list is not an object with type, data"),
        (of_mail(), f"body.data.{_ONE_OF_TWO}"),
        (of_mail(message="a", message_base64="YQ=="), f"body.data.{_ONE_OF_TWO}"),
        (
            of_mail(message_base64="a!"),
            "body.data.message_base64: is not base64; allowed is the mail, as RFC 4648 encodes it",
        ),
        (
            {"type": "mail.sent", "data": {"message": "a"}},
            "body.type: ‘mail.sent’ is refused; allowed are mail.received",
        ),
    ],
)
def test_a_webhook_that_is_no_mail_is_refused(senders: Senders, sent: Any, said: str) -> None:
    """A signed webhook without a mail is refused with what is wrong."""
    answer = senders.mail(sent)
    assert (answer.status, answer.body["detail"]) == (400, said)


def test_without_a_secret_there_is_no_hook_for_mail(sandbox: Sandbox) -> None:
    """Without a secret the mail hook is a 404."""
    taken = Hooks(sandbox.engine, Threads(1, 1), Settings().mail_hook_secrets)
    program = Program(Application(Routes(taken.routes())), "nobody")
    assert program("POST", "/api/hooks/mail", {}).refusal == (404, "unknown_path")


def test_a_mail_that_is_too_large_is_refused(
    senders: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail that is too large is refused, signed or not."""
    monkeypatch.setattr(hooks, "LARGEST_MAIL", 200)
    assert senders.mail(of_mail(message="a" * 200)).refusal == (413, "too_large")
    assert senders.mail(of_mail(message="a")).status == 200


def test_mails_that_are_too_many_bytes_at_a_time_are_put_off(senders: Senders) -> None:
    """Mails with too many bytes at once are refused with 503 until there is room."""
    senders.held.most = 200
    for _ in range(2):
        assert senders.mail(of_mail(message="a" * 200)).refusal == (503, "busy")
    assert senders.mail(of_mail(message="a")).status == 200
    assert senders.held.size == 0


# A process.


@pytest.fixture(scope="module")
def hooked(start: Any) -> Iterator[Web]:
    """A process that takes mail, too."""
    with start(mail_hook_secret=MAIL) as running:
        yield running


def test_a_process_takes_what_comes(hooked: Web) -> None:
    """A real process takes hooks of both kinds."""
    org = hooked.organization(stripe_endpoint_secret=SECRET)
    body = json.dumps(an_event())
    path = f"/api/hooks/stripe/{org.key}"
    signed = WebhookSignature.generate_signature_header(body, SECRET, int(time.time()))
    named = {"Content_Type": "application/json; charset=utf-8", "Stripe_Signature": signed}
    answers = [hooked.ask("POST", path, body.encode(), **named) for _ in range(2)]
    assert [(each.status, each.json()["again"]) for each in answers] == [(200, False), (200, True)]
    zipped = gzip.compress(body.encode())
    assert hooked.ask("POST", path, zipped, Content_Encoding="gzip", **named).status == 200
    assert hooked.ask("POST", path, body.encode(), Stripe_Signature=signed).status == 200
    for changes in ({"Content_Type": "text/csv"}, {"Content_Encoding": "br"}):
        assert hooked.ask("POST", path, body.encode(), **{**named, **changes}).status == 415
    sent = json.dumps(of_mail(message="Subject: hi\n\n" + "a" * 4_000_000))
    mail = {
        "webhook_id": "msg_1",
        "webhook_timestamp": str(int(time.time())),
        "webhook_signature": Webhook(MAIL).sign("msg_1", datetime.now(UTC), sent),
    }
    taken = hooked.ask("POST", "/api/hooks/mail", sent.encode(), **mail)
    assert (taken.status, taken.json()["kind"]) == (200, "other")
