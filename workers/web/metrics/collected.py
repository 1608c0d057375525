"""Numbers that are read from the database and the broker, by whichever process is asked.

They are cached for a while, so that frequent requests do not count them each time.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

import redis
import sqlalchemy
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError

from halo_engine.answers.operations.measures import Backlog, Totals, backlog, totals
from halo_engine.answers.operations.usual_hours import below_usual_anywhere
from halo_engine.domain.usual_hours import Activity

_Value = TypeVar("_Value")

#: In seconds: how long numbers are kept, of waiting work, of whole tables, and of whole hours.
_BACKLOG_SECONDS: Final = 5.0
_TOTALS_SECONDS: Final = 60.0
_HOURS_SECONDS: Final = 600.0


class Messages(NamedTuple):
    """How many messages are in the broker: waiting by queue, taken by workers, and set aside."""

    waiting: Mapping[str, int]
    in_hand: int
    set_aside: int


CountMessages = Callable[[], Messages]


@dataclass
class _Kept(Generic[_Value]):
    """A value that is read again after so many ``seconds``."""

    read: Callable[[], _Value]
    seconds: float
    _value: _Value | None = None
    _read_at: float = field(default=float("-inf"))

    def get(self) -> _Value:
        """Return the value, read now or a while ago."""
        if self._value is None or time.monotonic() - self._read_at >= self.seconds:
            self._value = self.read()
            self._read_at = time.monotonic()
        return self._value


class InDatabase(Collector):
    """Collects the numbers that are read from the database; while it is away there are none."""

    def __init__(self, database: sqlalchemy.Engine) -> None:
        self._database = database
        self._backlog = _Kept(lambda: self._ask(backlog), _BACKLOG_SECONDS)
        self._totals = _Kept(lambda: self._ask(totals), _TOTALS_SECONDS)
        self._below_usual = _Kept(lambda: self._ask(below_usual_anywhere), _HOURS_SECONDS)

    def _ask(self, question: Callable[[sqlalchemy.Connection], _Value]) -> _Value:
        with self._database.connect() as connection:
            return question(connection)

    def collect(self) -> Iterator[Metric]:
        """Yield what is measured."""
        said = "Whether the database answers."
        try:
            waiting, counted = self._backlog.get(), self._totals.get()
            below = self._below_usual.get()
        except (DBAPIError, sqlalchemy.exc.TimeoutError):
            yield _gauge("halo_database_up", said, 0)
            return
        yield _gauge("halo_database_up", said, 1)
        yield from _of_backlog(waiting)
        yield from _of_totals(counted)
        yield _labelled(
            "halo_series_below_usual",
            "Active series whose last two hours were far below the usual.",
            "activity",
            {str(each): below[each] for each in Activity},
        )


class InBroker(Collector):
    """Collects how many messages are in the broker; while it is away there are none."""

    def __init__(self, count: CountMessages | None) -> None:
        self._messages = None if count is None else _Kept(count, _BACKLOG_SECONDS)

    def collect(self) -> Iterable[Metric]:
        """Yield what is measured."""
        if self._messages is None:
            return
        said = "Whether the broker answers."
        try:
            found = self._messages.get()
        except (redis.RedisError, OSError):
            yield _gauge("halo_broker_up", said, 0)
            return
        yield _gauge("halo_broker_up", said, 1)
        waiting = "Messages that no worker has taken, by queue."
        yield _labelled("halo_messages_waiting", waiting, "queue", found.waiting)
        yield _gauge("halo_messages_in_hand", "Messages that workers took.", found.in_hand)
        aside = "Messages that no worker can take."
        yield _gauge("halo_messages_set_aside", aside, found.set_aside)


def _of_backlog(waiting: Backlog) -> Iterator[Metric]:
    yield _gauge("halo_signals_waiting", "Signals that wait to be handled.", waiting.signals)
    yield _gauge("halo_signals_oldest_seconds", "Age of the oldest.", waiting.signals_age)
    yield _gauge("halo_signals_parked", "Signals that failed and wait.", waiting.parked_signals)
    aside = "Those of them that wait for a person."
    yield _gauge("halo_signals_set_aside", aside, waiting.signals_set_aside)
    yield _gauge("halo_due_rows_waiting", "Rows that are due.", waiting.due_rows)
    yield _gauge("halo_due_rows_oldest_seconds", "Age of the oldest.", waiting.due_rows_age)
    yield _gauge("halo_rows_parked", "Rows that failed and wait.", waiting.parked_rows)
    yield _gauge("halo_rows_set_aside", aside, waiting.rows_set_aside)
    down = "Whether workers find the mail server down."
    yield _gauge("halo_mail_server_down", down, waiting.is_mail_server_down)
    yield _gauge("halo_webhooks_waiting", "Webhooks that wait to be sent.", waiting.webhooks)
    late = "How long the oldest that is due has waited."
    yield _gauge("halo_webhooks_oldest_seconds", late, waiting.webhooks_age)
    failing = "Webhook endpoints that fail."
    yield _gauge("halo_webhook_endpoints_failing", failing, waiting.endpoints_failing)
    off = "Webhook endpoints that were switched off because they failed."
    yield _gauge("halo_webhook_endpoints_off", off, waiting.endpoints_off)
    yield CounterMetricFamily("halo_ticks", "Ticks that came.", value=waiting.ticks)
    if waiting.tick_age is not None:
        yield _gauge("halo_tick_age_seconds", "Since the last tick.", waiting.tick_age)
    yield CounterMetricFamily("halo_passes", "Re-evaluations that began.", value=waiting.passes)
    if waiting.pass_age is not None:
        said = "Since the re-evaluation that began first."
        yield _gauge("halo_pass_age_seconds", said, waiting.pass_age)


def _of_totals(counted: Totals) -> Iterator[Metric]:
    yield _gauge("halo_enrollments", "Enrollments, ended ones too.", counted.enrollments)
    exits = "Enrollments that ended, by reason."
    yield _labelled("halo_exits", exits, "reason", counted.exits)
    refused = "Contacts kept out by the latest refusal."
    yield _labelled("halo_refusals", refused, "code", counted.refusals)
    yield _labelled("halo_mails", "Mails, by outcome.", "outcome", counted.mails)


def _labelled(name: str, said: str, label: str, numbers: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, said, labels=(label,))
    for value, number in sorted(numbers.items()):
        family.add_metric((value,), number)
    return family


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(name, said, value=value)
