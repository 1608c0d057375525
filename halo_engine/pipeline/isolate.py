"""Handle a batch that raised again in smaller parts, until each fault is found.

Signals, due rows, expired leases, emails and series are all isolated by this rule.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError

from halo_engine import migrate
from halo_engine.database import problem_of, took_too_long
from halo_engine.outages import database_trouble
from halo_engine.pipeline.reaction import TooMuchError
from halo_engine.work import Transact, Work

#: The first items of a batch are tried one by one. If all of them fail, the rest would fail too:
#: the cause is not in the batch.
PROBES: Final = 3

_Item = TypeVar("_Item")
_Key = TypeVar("_Key", bound=Hashable)
_Result = TypeVar("_Result")

#: Exceptions that tell the caller to stop.
Interruptions = tuple[type[Exception], ...]


class BatchError(Exception):
    """Handling ``batch`` raised: an item is at fault, or something that all of them need.

    ``too_long``: a statement ran into its time limit.
    """

    def __init__(self, batch: Sequence[Any], problem: str, *, too_long: bool = False) -> None:
        super().__init__(problem)
        self.batch = batch
        self.problem = problem
        self.too_long = too_long


@dataclass(frozen=True, slots=True)
class FailedItem(Generic[_Item]):
    """An item that failed when handled by itself, its error, and whether others of its batch
    succeeded.
    """

    item: _Item
    problem: str
    others_succeed: bool


@dataclass(frozen=True, slots=True)
class FailedGroup(Generic[_Key]):
    """A group in which every item that was tried failed; the rest was not tried."""

    group: _Key
    problem: str


def attempt(
    transact: Transact,
    handle: Callable[[Work, list[Any]], _Result],
    interruptions: Interruptions = (),
) -> _Result:
    """Run ``handle`` in a transaction; it lists the items that it takes in its second argument.

    If it raises, BatchError names those items. Errors that no batch causes pass through unchanged:
    a server that is away, a schema of another version, and the ``interruptions``.
    """
    taken: list[Any] = []

    def handled(work: Work) -> _Result:
        taken.clear()
        return handle(work, taken)

    try:
        return transact(handled)
    except Exception as error:
        if not taken or is_everybodys(error) or isinstance(error, (TooMuchError, *interruptions)):
            raise
        too_long = isinstance(error, DBAPIError) and took_too_long(error)
        raise BatchError(list(taken), _named(error), too_long=too_long) from error


def is_everybodys(error: Exception) -> bool:
    """Return whether no batch can be at fault: the server is away or out of resources, or its
    schema is of another version.
    """
    if database_trouble(error) is not None:
        return True
    if isinstance(error, OperationalError):
        return not took_too_long(error)
    return isinstance(error, DBAPIError) and migrate.is_of_another_schema(error)


def _named(error: Exception) -> str:
    """Describe an error in one line; of the database's errors without statement and parameters."""
    if isinstance(error, DBAPIError):
        return f"{type(error.orig).__name__}: {problem_of(error)}"
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def kind_of(problem: str) -> str:
    """Return what a log may say of a problem: its type. Its words may repeat a row's values."""
    return problem.partition(":")[0]


def isolate(
    failed: BatchError, handle: Callable[[Sequence[_Item]], _Result | None]
) -> Iterator[_Result | FailedItem[_Item]]:
    """Handle a failed batch again, in parts and in order; yield the result of each part, and each
    item that fails alone as soon as it is known whether others succeed.

    ``handle`` raises BatchError for a part that fails, and returns None if nothing of it is left to
    do. A batch of one is not tried again. If the first ``PROBES`` items fail, the rest is not
    tried.
    """
    batch: Sequence[_Item] = failed.batch
    if len(batch) == 1:
        yield FailedItem(batch[0], failed.problem, others_succeed=False)
        return
    probes = [batch[n : n + 1] for n in range(min(PROBES, len(batch)))]
    parts = [*probes, *_halves(batch[PROBES:])]
    doubtful: list[FailedItem[_Item]] = []
    others_succeed = False
    while parts and len(doubtful) < PROBES:
        part = parts.pop(0)
        try:
            result = handle(part)
        except BatchError as error:
            if len(part) > 1:
                parts[:0] = _halves(part)
            elif others_succeed:
                yield FailedItem(part[0], error.problem, others_succeed)
            else:
                doubtful.append(FailedItem(part[0], error.problem, others_succeed))
            continue
        if result is None:
            continue
        if not others_succeed:
            others_succeed = True
            yield from (replace(each, others_succeed=True) for each in doubtful)
            doubtful.clear()
        yield result
    yield from doubtful


def isolate_in_groups(
    failed: BatchError,
    group_of: Callable[[_Item], _Key],
    handle: Callable[[Sequence[_Item]], _Result | None],
) -> Iterator[_Result | FailedItem[_Item] | FailedGroup[_Key]]:
    """Isolate the failing groups of a batch, then the failing items of each.

    So a group in which everything fails does not stop the others.
    """
    groups: dict[_Key, list[_Item]] = defaultdict(list)
    for item in failed.batch:
        groups[group_of(item)].append(item)

    def of_groups(keys: Sequence[_Key]) -> _Result | None:
        return handle([item for key in keys for item in groups[key]])

    for found in isolate(BatchError(list(groups), failed.problem), of_groups):
        if not isinstance(found, FailedItem):
            yield found
            continue
        doubtful = 0
        for each in isolate(BatchError(groups[found.item], found.problem), handle):
            if isinstance(each, FailedItem):
                doubtful += not each.others_succeed
                others_succeed = each.others_succeed or found.others_succeed
                yield replace(each, others_succeed=others_succeed)
            else:
                yield each
        if doubtful >= PROBES:
            yield FailedGroup(found.item, found.problem)


def _halves(items: Sequence[_Item]) -> list[Sequence[_Item]]:
    middle = (len(items) + 1) // 2
    return [half for half in (items[:middle], items[middle:]) if half]
