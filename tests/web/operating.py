"""Operators' routes in this process: an application, and requests to it (contract §12)."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from halo_engine.domain.roles import Role
from halo_engine.operators.keys import CreateKeyCall, create_key
from halo_engine.operators.proof import Keyring
from tests.pipeline.sandbox import Sandbox
from workers.web.app import Application
from workers.web.endpoints.operator_keys import OperatorKeys
from workers.web.endpoints.operators import Operators
from workers.web.routes import Routes
from workers.web.threads import Threads


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code of a problem."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.body["status"] == self.status
        assert self.body["type"] == f"urn:halo:{self.body['code']}"
        return self.status, self.body["code"]


@dataclass
class Program:
    """An operator's program: it calls the routes of one organisation by a key."""

    application: Application
    key: str
    tasks: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    broker_is_away: bool = False

    def send_task(self, name: str, fields: Mapping[str, Any]) -> None:
        """Note a task for workers, unless the broker is away."""
        if self.broker_is_away:
            raise ConnectionError
        self.tasks.append((name, fields))

    def __call__(
        self,
        method: str,
        path: str,
        json_: Any = None,
        *,
        raw: bytes | None = None,
        **headers: str,
    ) -> Answer:
        """Send a request; ``json_`` or ``raw`` is its body."""
        body = raw if raw is not None else b"" if json_ is None else json.dumps(json_).encode()
        named = {
            "authorization": f"Bearer {self.key}",
            "content-length": str(len(body)),
            **({"content-type": "application/json"} if body else {}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return asyncio.run(self.send(method, path, body, named))

    async def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request within a running event loop."""
        raw_path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": raw_path,
            "raw_path": raw_path.encode(),
            "query_string": query.encode(),
            "client": ("127.0.0.1", 5),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        sent: list[Mapping[str, Any]] = []

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        await self.application(scope, receive, send)
        said = sent[1]["body"]
        return Answer(
            sent[0]["status"],
            {name.decode(): value.decode() for name, value in sent[0]["headers"]},
            json.loads(said) if said else None,
        )


def program(sandbox: Sandbox, role: Role, **given: Any) -> Program:
    """Make a program of the sandbox's organisation with a new key of that role."""
    call = CreateKeyCall.model_validate({"role": role, "name": f"{role} key", **given})
    key = sandbox.perform(lambda work: create_key(work, call)).key
    threads = Threads(4, 100)
    # More than a second passes between two calls: what is remembered decides nothing.
    keyring = Keyring(sandbox.database, monotonic=count(step=2).__next__)
    proof = OperatorKeys(keyring, threads).proof
    made = Program(Application(Routes(())), key)
    made.application.routes = Routes(
        Operators(sandbox.engine, threads, proof, made.send_task).routes()
    )
    return made
