"""Stop on Ctrl-C, SIGTERM or SIGHUP at any point, and leave nothing running."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked this process to stop: `signum`.

    Like KeyboardInterrupt it passes through `except Exception`.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def exit_status(self) -> int:
        """What a shell expects of a process that such a signal ended: 128 + the signal's number."""
        return 128 + self.signum


class _State:
    shields = 0
    waiting: int | None = None
    raised = False


def _on_signal(signum: int, _frame: FrameType | None) -> None:
    # Only the first signal counts: every clean-up step ends by itself, and a second exception in
    # the middle of one would leave processes behind.
    if _State.raised:
        return
    if _State.shields:
        _State.waiting = signum
        return
    _State.raised = True
    raise Interrupted(signum)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted in the body at the first stopping signal and ignore further ones.

    For the main thread of a command; the old handlers are restored at the end.
    """
    before = {signum: signal.signal(signum, _on_signal) for signum in _STOPPING_SIGNALS}
    _State.waiting, _State.raised = None, False
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextmanager
def shielded() -> Iterator[None]:
    """Delay a stopping signal until the body has ended.

    For steps that must not be interrupted: starting a process and recording it, stopping one.
    """
    _State.shields += 1
    try:
        yield
    finally:
        _State.shields -= 1
        if not _State.shields and _State.waiting is not None:
            signum, _State.waiting, _State.raised = _State.waiting, None, True
            raise Interrupted(signum)
