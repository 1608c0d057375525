"""A web process, on a free port and a database of its own."""

import http.client
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import Engine, func, insert

from halo_engine.domain.roles import Role
from halo_engine.tables import organizations
from halo_engine.work import OrgRef
from tests.pipeline.sandbox import Sandbox, new_sandbox
from tests.web.operating import Program, program
from workers.stack.children import Child
from workers.stack.folders import throwaway_folder
from workers.stack.processes import stack_environment, start_web
from workers.stack.servers import Servers

PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers by lower-case name, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Web:
    """A running web process as callers see it, and the database behind it."""

    url: str
    child: Child
    database: Engine
    environment: Mapping[str, str] = field(repr=False)

    @property
    def place(self) -> tuple[str, int]:
        """Return host and port."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Make one request on a connection of its own."""
        connection = http.client.HTTPConnection(*self.place, timeout=PATIENCE_SECONDS)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def post(self, path: str, key: str, call: object, **headers: str) -> Answer:
        """Post a call as JSON, with a key."""
        sent = {"Content_Type": "application/json", "Authorization": f"Bearer {key}", **headers}
        return self.ask("POST", path, json.dumps(call).encode(), **sent)

    def organization(self, **settings: Any) -> OrgRef:
        """Make an organisation, whose widget key is its key."""
        key = f"ab_live_{uuid4()}"
        with self.database.begin() as connection:
            row = {"key": key, "name": key, "widget_key": key, **settings}
            made = insert(organizations).values(
                created_at=func.now(), reevaluated_at=func.now(), **row
            )
            org_id = connection.execute(made.returning(organizations.c.id)).scalar_one()
        return OrgRef(id=org_id, key=key, widget_key=key)


@pytest.fixture(scope="module")
def start(
    servers: Servers, new_database: Callable[[], Engine]
) -> Callable[..., AbstractContextManager[Web]]:
    """Run a web process, with settings."""
    return lambda **settings: running(servers, new_database(), **settings)


@contextmanager
def running(servers: Servers, database: Engine, **settings: object) -> Iterator[Web]:
    """Run a web process on a database; it must have logged no error when it stops."""
    url = database.url.render_as_string(hide_password=False)
    own = Servers(url, servers.broker_url)
    with throwaway_folder("web") as folder:
        environment = stack_environment(own, web_bind="127.0.0.1:0", **settings)
        log = folder / "web.log"
        child, address = start_web(folder, environment, log=log)
        try:
            yield Web(address, child, database, environment)
        finally:
            child.stop()
        if "log_format" not in settings:
            assert not re.search(r"Traceback|\[error\] failed", log.read_text()), (
                os.linesep + log.read_text()
            )


@pytest.fixture
def sandbox(shared_database: Engine) -> Sandbox:
    """An organisation of the test's own, at noon."""
    return new_sandbox(shared_database, f"web-{uuid4()}")


@pytest.fixture
def admin(sandbox: Sandbox) -> Program:
    """A program that may do everything."""
    return program(sandbox, Role.ADMIN)


@pytest.fixture
def editor(sandbox: Sandbox) -> Program:
    """A program that may change what is not for admins alone."""
    return program(sandbox, Role.EDITOR)


@pytest.fixture
def viewer(sandbox: Sandbox) -> Program:
    """A program that may only ask."""
    return program(sandbox, Role.VIEWER)
