"""Deliver what is due: many endpoints side by side, each at its own pace (contract §14)."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from time import monotonic
from typing import Final
from uuid import UUID

from halo_engine.webhooks.attempts import record
from halo_engine.webhooks.claiming import Claim, DueEndpoint, claim
from halo_engine.webhooks.messages import Content, gather, written
from halo_engine.webhooks.posting import AT_ONCE, CallRules, EndpointClient, Reply
from halo_engine.work import Transact, Work

#: How many endpoints are called side by side, and how many messages a batch has.
ENDPOINTS_AT_ONCE: Final = 16
BATCH: Final = 100
#: After so long a batch begins no further message: its lease has time left.
BATCH_SECONDS: Final = 20.0
#: After so many failures in a row the rest of a batch is not tried.
_MOST_FAILURES: Final = AT_ONCE
_RENEW_SECONDS: Final = 0.4


@dataclass(frozen=True, slots=True)
class DeliveryTurn:
    """One turn of delivering.

    ``transact`` returns the transactions of an organisation. No batch begins after ``ends``
    (``time.monotonic``). ``go_on`` is called every half second.
    """

    transact: Callable[[UUID], Transact]
    rules: CallRules
    ends: float
    go_on: Callable[[], object] = lambda: None

    def run(self, endpoints: Iterable[DueEndpoint]) -> Counter[str]:
        """Deliver to the endpoints until nothing is due; return how many messages came through.

        An endpoint that is slow or down holds up no other. Raises what a transaction raises, after
        the other endpoints had their turn.
        """
        with ThreadPoolExecutor(ENDPOINTS_AT_ONCE, thread_name_prefix="halo-webhooks") as pool:
            running = {pool.submit(self._deliver, each) for each in endpoints}
            turns = set(running)
            while running:
                _, running = wait(running, _RENEW_SECONDS, FIRST_COMPLETED)
                self.go_on()
        return _added_up(turns)

    def _deliver(self, endpoint: DueEndpoint) -> Counter[str]:
        transact = self.transact(endpoint.org_id)
        counted: Counter[str] = Counter()
        caller: EndpointClient | None = None
        try:
            while monotonic() < self.ends:
                found = transact(partial(_claimed, endpoint_id=endpoint.id))
                if found is None:
                    break
                claimed, contents = found
                if caller is None or caller.url != claimed.url:
                    if caller is not None:
                        caller.close()
                    caller = EndpointClient(claimed.url, self.rules)
                replies = _Batch(caller, claimed, endpoint.org_id, contents).post()
                transact(partial(record, claimed=claimed, replies=replies))
                came = sum(reply.is_success for reply in replies.values())
                counted += Counter(delivered=came, failed=len(replies) - came)
        finally:
            if caller is not None:
                caller.close()
        return counted


def _claimed(work: Work, *, endpoint_id: UUID) -> tuple[Claim, Mapping[int, Content]] | None:
    found = claim(work, endpoint_id, BATCH)
    return None if found is None else (found, gather(work, list(found.attempts)))


def _added_up(turns: Iterable[Future[Counter[str]]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for turn in turns:
        total += turn.result()
    return total


@dataclass(slots=True)
class _Batch:
    """Messages of different contacts, posted side by side."""

    caller: EndpointClient
    claimed: Claim
    org_id: UUID
    contents: Mapping[int, Content]
    _failures: int = 0
    _lock: Lock = field(default_factory=Lock)

    def post(self) -> Mapping[int, Reply]:
        """Return the replies of the messages that were tried."""
        ends = monotonic() + BATCH_SECONDS
        with ThreadPoolExecutor(min(AT_ONCE, len(self.contents) or 1)) as pool:
            given = {
                event: pool.submit(self._post_one, content, ends)
                for event, content in self.contents.items()
            }
        replies = {event: each.result() for event, each in given.items()}
        return {event: reply for event, reply in replies.items() if reply is not None}

    def _post_one(self, content: Content, ends: float) -> Reply | None:
        if self._failures >= _MOST_FAILURES or monotonic() > ends:
            return None
        message = written(self.org_id, content, with_traits=self.claimed.with_traits)
        reply = self.caller.post(message, self.claimed.secrets)
        with self._lock:
            self._failures = 0 if reply.is_success else self._failures + 1
            if reply.is_gone:
                self._failures = _MOST_FAILURES
        return reply
