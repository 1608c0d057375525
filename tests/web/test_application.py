"""The application in this process: what it counts, for whom, and what it answers (contract §12)."""

import asyncio
import json
import threading
import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from halo_engine.domain.roles import Role
from halo_engine.operators.keys import CreateKeyCall, create_key
from halo_engine.operators.proof import Keyring
from halo_engine.work import OrgRef
from tests.pipeline.sandbox import Sandbox
from tests.web.operating import Program
from workers.tracing.causes import logged
from workers.web.app import Application
from workers.web.endpoints.health import Health
from workers.web.endpoints.imports import Imports
from workers.web.endpoints.operator_keys import OperatorKeys
from workers.web.endpoints.operators import Operators
from workers.web.messages.json_bodies import LARGEST_BODY, read_json, size_of_parsed
from workers.web.messages.rates import Rates
from workers.web.messages.requests import Request
from workers.web.messages.responses import Problem, Response, answered
from workers.web.routes import Caller, Route, Routes
from workers.web.threads import Threads

PATH = "/api/sdk/leads"
JSON = {"content-type": "application/json"}


async def _answer(_request: Request, _caller: Caller) -> Response:
    return answered({})


def test_held_bytes_of_calls_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a large call waits for its answer, another large one is refused and a small one is
    done.
    """
    large = json.dumps({"texts": ["x" * 40] * 500}).encode()
    small = b'{"texts": []}'
    monkeypatch.setattr("workers.web.app._MOST_HELD", size_of_parsed(large))

    async def who(_request: Request) -> Caller:
        return Caller()

    async def wait(request: Request, _caller: Caller) -> Response:
        await request.json()
        others = [await program.send("POST", "/inner", body, JSON) for body in (large, small)]
        return answered([each.status for each in others])

    async def inner(request: Request, _caller: Caller) -> Response:
        return answered(await request.json())

    routes = [Route("POST", PATH, who, wait), Route("POST", "/inner", who, inner)]
    program = Program(Application(Routes(routes)), "")
    assert program("POST", PATH, raw=large).body == [503, 200]
    assert program("POST", "/inner", raw=large).status == 200


def test_the_size_of_a_parsed_body_is_estimated() -> None:
    """The estimate of a parsed body's size holds for brackets, keys and emojis too."""
    bodies = (
        b"[" + b"[]," * 9_999 + b"[]]",
        b"[" + b'{"a":0},' * 9_999 + b"{}]",
        json.dumps([f"{number:x}" for number in range(10_000)]).encode(),
        json.dumps({f"{number:x}": number for number in range(10_000)}).encode(),
        b"[" + b"1.5," * 9_999 + b"1000]",
        json.dumps(["x" * 100_000 + "\N{GRINNING FACE}"], ensure_ascii=False).encode(),
        b'["a"]',
    )
    for body in bodies:
        tracemalloc.start()
        parsed = read_json(body)
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert taken <= 1.1 * size_of_parsed(body), parsed


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"[" + b"{}," * 300_000 + b"{}]", (413, "too_large")),
        (b"[" + b"[],?" * 250_000 + b"]", (400, "bad_json")),
        (b"[" * 500_000 + b"]" * 500_000, (400, "too_deep")),
        (b'["' + rb"\ud83d\ude00" * 1_500 + b'"' + b",[]" * 300_000 + b"]", (413, "too_large")),
    ],
    ids=["brackets", "brackets that are no JSON", "deep", "an escape"],
)
def test_a_body_that_would_take_much_more_than_its_text_is_not_read(
    body: bytes, refusal: tuple[int, str]
) -> None:
    """Its beginning is, so that what is no JSON is told so."""
    assert len(body) < LARGEST_BODY

    async def who(_request: Request) -> Caller:
        return Caller()

    async def read(request: Request, _caller: Caller) -> Response:
        return answered(await request.json())

    program = Program(Application(Routes([Route("POST", PATH, who, read)])), "")
    tracemalloc.start()
    answer = program("POST", PATH, raw=body)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.refusal == refusal
    assert most < 3 * LARGEST_BODY


def test_a_stream_that_is_not_here_in_time_is_refused() -> None:
    """A stream that is not complete in time is refused, however often a piece comes."""
    scope = {"method": "POST", "query_string": b""}
    pieces = iter([b"a", b"b"])

    async def receive() -> Mapping[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": next(pieces), "more_body": True}

    async def read(within: float) -> list[bytes]:
        request = Request(
            scope,
            receive,
            headers={},
            address="",
            request_id="r",
            accept=lambda: None,
            hold=lambda _: None,
        )
        return [piece async for piece in request.stream(9, within)]

    with pytest.raises(Problem) as raised:
        asyncio.run(read(0))
    assert (raised.value.code, next(pieces)) == ("too_slow", b"a")


def test_keys_of_one_name_have_a_rate_each() -> None:
    """Keys of one name in two organisations each have a rate of their own."""
    callers = {name: Caller(OrgRef(id=uuid4()), "backend", uuid4()) for name in ("a", "b")}

    async def who(request: Request) -> Caller:
        return callers[request.headers[b"authorization"].decode().removeprefix("Bearer ")]

    routes = Routes([Route("POST", PATH, who, _answer)])
    application = Application(routes, rates=Rates(1, clock=lambda: 0.0))
    one, other = Program(application, "a"), Program(application, "b")
    assert [each("POST", PATH).status for each in (one, one, other, other)] == [200, 429, 200, 429]


def test_a_fault_of_ours_is_logged_with_the_request_id() -> None:
    """A fault of ours is answered with its request id alone, and logged with it."""

    async def fail(_request: Request, _caller: Caller) -> Response:
        raise RuntimeError("secret")

    async def who(_request: Request) -> Caller:
        return Caller()

    application = Application(Routes([Route("POST", PATH, who, fail)]))

    def naming(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, **logged()}

    with capture_logs([naming]) as logs:
        answer = Program(application, "")("POST", PATH, x_request_id="r-1")
    assert (answer.status, answer.headers["x-request-id"]) == (500, "r-1")
    assert "secret" not in str(answer.body)
    assert [(each["event"], each["request_id"]) for each in logs] == [("failed", "r-1")]


def test_an_answer_without_content_has_no_length() -> None:
    """A 204 has no Content-Length (RFC 9110 §8.6)."""
    answer = Program(Application(Routes([])), "")("OPTIONS", PATH)
    assert (answer.status, "content-length" in answer.headers) == (204, False)


def test_a_caller_of_readyz_gets_the_check_that_it_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A caller of /readyz gets the result of the check that it waits for, even if another one
    begins meanwhile.
    """
    monkeypatch.setattr("workers.web.endpoints.health._PATIENCE_SECONDS", 120)
    health = Health(dict, lambda: False)
    route = next(each for each in health.routes() if each.template == "/readyz")
    scope = {"method": "GET", "query_string": b""}

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request"}

    request = Request(
        scope,
        receive,
        headers={},
        address="",
        request_id="r",
        accept=lambda: None,
        hold=lambda _: None,
    )

    async def ask_often() -> list[Response]:
        asking = []
        for _ in range(2_000):
            asking.append(asyncio.ensure_future(route.handle(request, Caller())))
            await asyncio.sleep(0)
        return await asyncio.gather(*asking)

    assert {each.status for each in asyncio.run(ask_often())} == {200}


def test_a_thread_that_hangs_holds_up_no_caller() -> None:
    """Callers that wait for a hanging thread, or behind it, are refused in time; afterwards it
    serves again.
    """
    threads = Threads(1, 1, patience_seconds=0.05)
    goes_on = threading.Event()

    async def play() -> Sequence[object]:
        hung = threads.run(lambda: goes_on.wait(timeout=120))
        behind = threads.run(lambda: True)
        return await asyncio.gather(hung, behind, return_exceptions=True)

    refused = asyncio.run(play())
    assert [getattr(each, "status", each) for each in refused] == [503, 503]
    goes_on.set()
    assert asyncio.run(threads.run(lambda: "done")) == "done"


def test_an_import_goes_on_where_no_message_can_be_sent(sandbox: Sandbox) -> None:
    """An import that is kept is answered as started even if its message cannot be sent: a tick
    starts it.
    """
    call = CreateKeyCall(role=Role.EDITOR)
    key = sandbox.perform(lambda work: create_key(work, call)).key
    threads = Threads(1, 10)

    def away(_name: str, _fields: Mapping[str, Any]) -> None:
        raise ConnectionError

    proof = OperatorKeys(Keyring(sandbox.database), threads).proof
    imports = Imports(Operators(sandbox.engine, threads, proof, away))
    send = Program(Application(Routes([imports.route()])), key)
    answer = send("POST", "/api/imports", raw=b"id\nann\n", content_type="text/csv")
    assert (answer.status, answer.body["state"]) == (202, "running")
