"""A web process that is killed with SIGKILL while it takes webhooks (contract §12).

Their senders try again, as Stripe and mail gateways do after no answer.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psutil
import pytest
from sqlalchemy import func, select, text, update
from standardwebhooks import Webhook
from stripe import WebhookSignature

from halo_engine.tables import bounce_reports, event_counts, organizations
from tests.mail.incoming.test_receive import Letterbox
from tests.mail.reading.test_incoming_mail import report
from tests.web.conftest import PATIENCE_SECONDS, Answer, Web
from tests.web.test_hooks import MAIL, SECRET, an_event, of_mail
from workers.stack.children import wait_until

#: A lock that the database waits for: where a webhook is written, and where that is committed.
_WRITING: Final = 1
_COMMITTING: Final = 2
_WAITS: Final = """
CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A commit that was asked for is done, also if nobody is there to be told.
    SET LOCAL client_connection_check_interval = 0;
    PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::bigint);
    RETURN NULL;
END $$;
CREATE TRIGGER writes AFTER INSERT OR UPDATE ON event_counts
    FOR EACH ROW EXECUTE FUNCTION wait_for_the_test(1);
CREATE TRIGGER writes AFTER INSERT OR UPDATE ON bounce_reports
    FOR EACH ROW EXECUTE FUNCTION wait_for_the_test(1);
CREATE CONSTRAINT TRIGGER commits AFTER INSERT ON hook_deliveries DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION wait_for_the_test(2);
"""


@dataclass(frozen=True)
class Delivery:
    """A webhook as its sender keeps it: the same body at each try, signed anew."""

    path: str
    body: bytes
    sign: Callable[[bytes], Mapping[str, str]]

    def send(self, web: Web) -> Answer:
        """Send it, and wait for the answer."""
        return web.ask("POST", self.path, self.body, **self.sign(self.body))

    def begin(self, web: Web) -> socket.socket:
        """Send half of it; return the connection when the process asked for the body."""
        named = {"Host": "x", "Content-Length": str(len(self.body)), "Expect": "100-continue"}
        headers = {**named, **self.sign(self.body)}
        lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
        connection = socket.create_connection(web.place, timeout=PATIENCE_SECONDS)
        connection.sendall(f"POST {self.path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(self.body[: len(self.body) // 2])
        return connection


@dataclass(frozen=True)
class Taker:
    """A process that takes webhooks for one organisation, and a parent that replaces it."""

    web: Web
    box: Letterbox

    def deliveries(self, number: int) -> list[Delivery]:
        """Return one of Stripe's, a payment that failed, and one of a gateway's, a soft bounce."""
        customer = {"customer": "cus_ann", "customer_email": "bob@b.example"}
        event = an_event(
            "invoice.payment_failed", id=f"evt_{number}", data={"object": {"id": "in", **customer}}
        )
        bounce = b"Message-ID: <bounce-%d@b.example>\n" % number + report(("failed", "5.7.1"))
        bounce = bounce.replace(b"<0f0e@acme.example>", self.box.message_id.encode())
        return [
            Delivery(
                f"/api/hooks/stripe/{self._org_key()}", json.dumps(event).encode(), _by_stripe
            ),
            Delivery(
                "/api/hooks/mail",
                json.dumps(of_mail(message=bounce.decode())).encode(),
                lambda body: _by_gateway(f"msg_{number}", body),
            ),
        ]

    def _org_key(self) -> str:
        found = select(organizations.c.key).where(organizations.c.id == self.box.org.id)
        with self.web.database.connect() as connection:
            return str(connection.scalar(found))

    def kill(self) -> None:
        """Kill the processes that serve; what comes meanwhile waits for the next ones."""
        for child in psutil.Process(self.web.child.process.pid).children():
            os.kill(child.pid, signal.SIGKILL)

    def counted(self) -> list[int]:
        """Count the failed payments and the bounces."""
        sums = (
            select(func.sum(event_counts.c.count)).where(event_counts.c.org_id == self.box.org.id),
            select(func.count()).where(bounce_reports.c.org_id == self.box.org.id),
        )
        with self.web.database.connect() as connection:
            return [int(connection.scalar(each) or 0) for each in sums]

    @contextmanager
    def held(self, lock: int, waiting: int) -> Iterator[Callable[[], None]]:
        """Hold a lock of the database's; yield what waits until so many wait for it."""
        asked = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        with self.web.database.connect() as connection, connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})

            def all_wait() -> bool:
                return bool(connection.scalar(asked) == waiting)

            yield lambda: wait_until(self.web.child, all_wait, "the webhooks wait")


def _by_stripe(body: bytes) -> Mapping[str, str]:
    at = int(time.time())
    said = WebhookSignature.generate_signature_header(body.decode(), SECRET, at)
    return {"Stripe_Signature": said}


def _by_gateway(id_: str, body: bytes) -> Mapping[str, str]:
    now = datetime.now(UTC)
    return {
        "webhook_id": id_,
        "webhook_timestamp": str(int(now.timestamp())),
        "webhook_signature": Webhook(MAIL).sign(id_, now, body.decode()),
    }


@pytest.fixture(scope="module")
def taker(start: Callable[..., AbstractContextManager[Web]]) -> Iterator[Taker]:
    """A parent of two processes, and an organisation that nothing was sent to."""
    with start(web_processes=2, mail_hook_secret=MAIL) as web:
        box = Letterbox(web.database)
        with web.database.begin() as connection:
            connection.execute(text(_WAITS))
            connection.execute(update(organizations).values(stripe_endpoint_secret=SECRET))
        yield Taker(web, box)


def _while_the_body_comes(taker: Taker, deliveries: list[Delivery]) -> None:
    """Neither is whole."""
    connections = [each.begin(taker.web) for each in deliveries]
    taker.kill()
    for each in connections:
        each.close()


def _at(lock: int) -> Callable[[Taker, list[Delivery]], None]:
    def kill(taker: Taker, deliveries: list[Delivery]) -> None:
        some = len(deliveries)
        with ThreadPoolExecutor(some) as pool, taker.held(lock, some) as all_wait:
            sent = [pool.submit(each.send, taker.web) for each in deliveries]
            all_wait()
            taker.kill()
            assert all(each.exception() for each in sent)

    return kill


#: Where the process dies, and whether the database has the webhook by then.
KILLS: Final = {
    "while the body comes": (_while_the_body_comes, False),
    "in the transaction": (_at(_WRITING), False),
    "when the commit was asked for": (_at(_COMMITTING), True),
}


def test_a_webhook_counts_once_wherever_its_process_is_killed(taker: Taker) -> None:
    """An unanswered webhook is sent again and counts once; one that was answered is stored."""
    answered: list[Delivery] = []
    for number, (where, (kill, is_there)) in enumerate(KILLS.items()):
        deliveries = taker.deliveries(number)
        kill(taker, deliveries)
        first = [each.send(taker.web) for each in deliveries]
        assert [each.status for each in first] == [200, 200]
        assert [each.json()["again"] for each in first] == [is_there, is_there], where
        assert taker.counted() == [number + 1, number + 1], where
        later = [each.send(taker.web) for each in answered]
        assert [each.json()["again"] for each in later] == [True] * len(answered), where
        answered += deliveries
    assert taker.counted() == [len(KILLS), len(KILLS)]
