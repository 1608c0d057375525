"""Whatever is thrown at HTTP is answered: never a 500, and a good call always goes in (§12)."""

import asyncio
import gzip
import json
import os
from collections.abc import Mapping
from random import Random
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Engine as Database
from sqlalchemy import func, insert, select

from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.operators.proof import Keyring
from halo_engine.pipeline.due import PostOffice
from halo_engine.tables import end_users, organizations
from tests.fuzz.hostile import TEXTS, spoiled
from workers.web.app import Application
from workers.web.endpoints.applications import Applications
from workers.web.endpoints.operator_keys import OperatorKeys
from workers.web.gathering import Gatherer
from workers.web.routes import Routes
from workers.web.threads import Threads

REQUESTS: Final = int(os.environ.get("HALO_TEST_FUZZ", "5000"))
_AT_ONCE: Final = 32
_PATHS: Final = (
    b"/api/sdk/users/identify",
    b"/api/sdk/users/identify",
    b"/api/sdk/events",
    b"/api/sdk/companies/identify",
    b"/api/sdk/leads",
)
_CALLS: Final[Mapping[bytes, dict[str, Any]]] = {
    _PATHS[0]: {"user_id": "ann", "traits": {"plan": "pro"}, "context": {}, "session_id": "s"},
    _PATHS[2]: {"event": "paid", "user_id": "ann", "properties": {}, "idempotency_key": "k"},
    _PATHS[3]: {"id": "acme", "traits": {"plan": "pro"}, "user_id": "ann"},
    _PATHS[4]: {"email": "new@x.example", "traits": {}},
}
#: What a request may be answered with, whatever it is; 503 only where it is told to try again.
_ALLOWED: Final = frozenset({200, 204, 400, 401, 403, 404, 405, 409, 413, 415, 503})


def _json(random: Random, call: Any) -> bytes:
    """Return a call as JSON; what JSON cannot say as some text."""
    text = json.dumps(call, default=repr, skipkeys=True, ensure_ascii=random.random() < 0.5)
    return text.encode("utf-8", "surrogatepass")


def _body(random: Random, path: bytes) -> bytes:
    try:
        body = _json(random, spoiled(random, _CALLS[path]))
    except (RecursionError, ValueError):
        return b"[" * random.choice((10, 300, 100_000))
    match random.randrange(12):
        case 0:
            return body[: random.randrange(len(body) + 1)]
        case 1:
            at = random.randrange(len(body) + 1)
            return body[:at] + random.randbytes(random.randrange(1, 5)) + body[at:]
        case 2:
            return body.replace(b":", b":NaN,", 1)
        case 3:
            return gzip.compress(body)[: random.choice((None, -1, 5))]
    return body


def _headers(random: Random, key: str) -> list[tuple[bytes, bytes]]:
    """Return headers of which most are as they should be."""
    odd = str(random.choice(TEXTS)).encode("utf-8", "surrogatepass")
    said = {
        b"authorization": random.choice((f"Bearer {key}".encode(),) * 8 + (b"Bearer " + odd, odd)),
        b"content-type": random.choice((b"application/json",) * 8 + (b"text/plain", odd)),
        b"content-encoding": random.choice((b"identity",) * 8 + (b"gzip", odd)),
        b"x-request-id": odd,
        b"idempotency-key": odd,
    }
    return [(name, value) for name, value in said.items() if random.random() < 0.9]


async def _ask(
    application: Application, method: str, path: bytes, headers: Any, body: bytes
) -> tuple[int, bytes]:
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path,
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }
    middle = len(body) // 2
    parts = iter(((body[:middle], True), (body[middle:], False)) if middle else ((body, False),))
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        chunk, more = next(parts)
        return {"type": "http.request", "body": chunk, "more_body": more}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    start, rest = sent
    assert dict(start["headers"])[b"x-request-id"].isascii()
    return start["status"], rest["body"]


async def _fuzz(application: Application, key: str, random: Random) -> None:
    path = random.choice(_PATHS)
    method = random.choice(("POST",) * 12 + ("GET", "PUT", "OPTIONS", "\u00fc"))
    odd = random.random() < 0.02
    asked = path + random.choice((b"/", b"%2F", b"/%FF", b"?", b"//")) if odd else path
    body = _body(random, path)
    status, answer = await _ask(application, method, asked, _headers(random, key), body)
    assert status in _ALLOWED, (status, asked, body[:500], answer)
    if status >= 400:
        said = json.loads(answer)
        assert said["status"] == status
        assert said["type"] == f"urn:halo:{said['code']}"
        assert said["detail"].isprintable() or "\n" in said["detail"]


async def _good(application: Application, key: str, user: str) -> None:
    headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-type", b"application/json")]
    body = json.dumps({"user_id": user}).encode()
    status, answer = await _ask(application, "POST", _PATHS[0], headers, body)
    assert (status, json.loads(answer)["created"]) == (200, True)


async def _play(engine: Engine, key: str, random: Random) -> int:
    gatherer = Gatherer(engine, writers=2, most_waiting=1000)
    threads = Threads(2, 1000)
    proof = OperatorKeys(Keyring(engine.database), threads).application
    application = Application(Routes(Applications(engine, gatherer, threads, proof).routes()))
    good = 0
    for first in range(0, REQUESTS, _AT_ONCE):
        asked = [_fuzz(application, key, random) for _ in range(_AT_ONCE)]
        await asyncio.gather(*asked, _good(application, key, f"good {first}"))
        good += 1
    assert application.is_at_rest
    await asyncio.to_thread(gatherer.close)
    threads.close()
    return good


def test_hostile_requests_are_answered_and_good_ones_beside_them_go_in(
    shared_database: Database,
) -> None:
    """Many requests at once go as sets: each has its own answer or refusal, never a 500."""
    key = f"ab_live_{uuid4()}"
    with shared_database.begin() as connection:
        made = insert(organizations).values(
            key=key, name=key, widget_key=key, created_at=func.now(), reevaluated_at=func.now()
        )
        org_id = connection.execute(made.returning(organizations.c.id)).scalar_one()
    office = PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example"))
    seed = int(os.environ.get("HALO_TEST_SEED", "7"))
    good = asyncio.run(_play(Engine(shared_database, office), key, Random(seed)))
    counted = select(func.count()).where(
        end_users.c.org_id == org_id, end_users.c.external_id.startswith("good ")
    )
    with shared_database.connect() as connection:
        assert connection.scalar(counted) == good
