"""A receiver of webhooks on a port of its own, as an application has one."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Taken:
    """One request: its headers, in small letters, its body, and the port that it came from."""

    headers: dict[str, str]
    body: str
    port: int

    @property
    def id(self) -> str:
        """The message's id."""
        return self.headers["webhook-id"]

    @property
    def type(self) -> str:
        """What happened."""
        return str(self.data["type"])

    @property
    def data(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def contact(self) -> str:
        """The contact's external ID."""
        return str(self.data["data"]["contact"]["user_id"])


@dataclass
class Receiver:
    """Answers each request with what ``answers`` returns, and keeps it; ``url`` is where."""

    url: str = ""
    answers: Callable[[Taken], int] = lambda _: 204
    headers: dict[str, str] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    came: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def take(self, taken: Taken) -> int:
        """Keep a request, and return the status of its answer."""
        with self._lock:
            self.taken.append(taken)
        self.came.set()
        return self.answers(taken)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Who was told of, and what, in the order in which it came."""
        return [(each.contact, each.type) for each in self.taken]

    def verified(self, secret: str) -> list[Any]:
        """Return the bodies, each verified by the library of Standard Webhooks."""
        return [Webhook(secret).verify(each.body, each.headers) for each in self.taken]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port of this machine."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length).decode()
            self.send_response(receiver.take(Taken(headers, body, self.client_address[1])))
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}/halo"
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
