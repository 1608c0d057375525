"""Post one message to an endpoint, and return its reply (contract §14).

The environment's settings, its proxies too, are ignored, and no redirect is followed.
"""

import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from time import monotonic
from typing import Final

import httpcore
from standardwebhooks import Webhook

from halo_engine.domain.errors import printable
from halo_engine.webhooks.addresses import (
    DEADLINE,
    CheckedNetwork,
    PrivateAddressError,
    Resolver,
    resolve,
)

#: How long an endpoint has to answer, and how many messages it is given at once.
PATIENCE_SECONDS: Final = 10.0
AT_ONCE: Final = 8
#: How much of an answer is read, so that the connection can be used again.
_MOST_READ: Final = 65_536
_LONGEST_PROBLEM: Final = 300
_AGENT: Final = f"halo-engine/{version('halo-engine')}"
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class CallRules:
    """How endpoints may be called: ``allow_private`` addresses and plain http, or not."""

    allow_private: bool = False
    patience: float = PATIENCE_SECONDS
    resolver: Resolver = resolve


PUBLIC_ALONE: Final = CallRules()


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A message: ``id`` stays the same at every attempt; ``body`` is JSON."""

    id: str
    body: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of an attempt: the ``status`` of the answer, or the ``problem``."""

    status: int | None = None
    problem: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the endpoint took the message."""
        return self.problem is None

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint asks for no more messages (410)."""
        return self.status == _GONE


def signed(message: WebhookMessage, secrets: Sequence[str], at: datetime) -> Mapping[str, str]:
    """Return the headers of Standard Webhooks: id, timestamp, a signature by each secret."""
    # The library takes the clock of a time zone for UTC's.
    at = at.astimezone(UTC)
    signatures = [Webhook(each).sign(message.id, at, message.body) for each in secrets]
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


class EndpointClient:
    """Connections to one endpoint; any thread may post."""

    def __init__(self, url: str, rules: CallRules) -> None:
        self.url = url
        self._patience = rules.patience
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(),
            max_connections=AT_ONCE,
            network_backend=CheckedNetwork(
                allow_private=rules.allow_private, resolver=rules.resolver
            ),
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def post(self, message: WebhookMessage, secrets: Sequence[str]) -> Reply:
        """Post a message, signed now; whatever the endpoint does is a reply, not an error."""
        headers = {
            "content-type": "application/json",
            "user-agent": _AGENT,
            **signed(message, secrets, datetime.now(UTC)),
        }
        ends = DEADLINE.set(monotonic() + self._patience)
        try:
            return _judged(self._status(headers, message.body.encode()))
        except (httpcore.TimeoutException, TimeoutError):
            return Reply(problem=f"no answer within {self._patience:g} s")
        except (PrivateAddressError, httpcore.UnsupportedProtocol) as error:
            return Reply(problem=str(error))
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError) as error:
            words = printable(f"it cannot be reached: {error}", _LONGEST_PROBLEM)
            return Reply(problem=words)
        finally:
            DEADLINE.reset(ends)

    def _status(self, headers: Mapping[str, str], body: bytes) -> int:
        given = list(headers.items())
        # The pool's own patience: for a free connection.
        timeouts = {"timeout": {"pool": self._patience}}
        with self._pool.stream(
            "POST", self.url, headers=given, content=body, extensions=timeouts
        ) as response:
            # The status has come; the rest matters only for reusing the connection.
            with suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
                _read_some(response)
            return response.status


def _read_some(response: httpcore.Response) -> None:
    read = 0
    for piece in response.iter_stream():
        read += len(piece)
        if read > _MOST_READ:
            return


def _judged(status: int) -> Reply:
    is_taken = 200 <= status < 300
    return Reply(status, None if is_taken else f"it answered {status}")


@cache
def _tls() -> ssl.SSLContext:
    return httpcore.default_ssl_context()
