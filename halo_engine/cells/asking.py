"""Ask several servers at once: the first yes counts at once, a no only when all have said it."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import copy_context
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final, Generic, NamedTuple, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_Answer = TypeVar("_Answer")

#: In seconds: how long a server may take; one that hangs would take for ever.
PATIENCE: Final = 2.0
NOTHING_SAID: Final = "it does not answer"


class NoAnswer(Exception):  # noqa: N818 -- a server's trouble, no fault of ours
    """Nobody said yes, and ``silent`` servers, by name, did not answer; for those of ``hung`` the
    whole patience was waited.
    """

    def __init__(self, silent: Mapping[str, str], hung: Iterable[str] = ()) -> None:
        super().__init__(", ".join(f"{name}: {said}" for name, said in sorted(silent.items())))
        self.silent = silent
        self.hung = frozenset(hung)


class _Said(NamedTuple, Generic[_Answer]):
    name: str
    answer: _Answer | None
    error: Exception | None


def first_yes(
    questions: Mapping[str, Callable[[], _Answer | None]], patience: float = PATIENCE
) -> tuple[str, _Answer] | None:
    """Ask each server its question; return who said yes first, and what.

    Returns None if all say no (None). Raises NoAnswer if none says yes, and some do not answer
    within ``patience`` seconds.
    """
    silent = dict.fromkeys(questions, NOTHING_SAID)
    hung = set(questions)
    for said in _answers(questions, patience):
        if said.answer is not None:
            return said.name, said.answer
        hung.discard(said.name)
        if said.error is None:
            del silent[said.name]
        elif not isinstance(said.error, DBAPIError | PoolTimeout):
            raise said.error
    if silent:
        raise NoAnswer(silent, hung)
    return None


def ask_each(
    questions: Mapping[str, Callable[[], _Answer]], patience: float = PATIENCE
) -> dict[str, _Answer | None]:
    """Ask each server its question; return what each said, None of one that did not answer."""
    found: dict[str, _Answer | None] = dict.fromkeys(questions)
    for said in _answers(questions, patience):
        if said.error is not None and not isinstance(said.error, DBAPIError | PoolTimeout):
            raise said.error
        found[said.name] = said.answer
    return found


def _answers(
    questions: Mapping[str, Callable[[], _Answer | None]], patience: float
) -> Iterator[_Said[_Answer]]:
    """Yield what the servers say, as they say it, for so many seconds.

    Each is asked in a thread of its own. A thread whose server hangs is left behind.
    """
    answers: SimpleQueue[_Said[_Answer]] = SimpleQueue()

    def ask(name: str, question: Callable[[], _Answer | None]) -> None:
        try:
            answers.put(_Said(name, question(), None))
        except Exception as error:  # noqa: BLE001 -- whoever asked raises it
            answers.put(_Said(name, None, error))

    for name, question in questions.items():
        context = copy_context()
        threading.Thread(target=context.run, args=(ask, name, question), daemon=True).start()
    ends = monotonic() + patience
    for _ in questions:
        try:
            yield answers.get(timeout=max(ends - monotonic(), 0.0))
        except Empty:
            return
