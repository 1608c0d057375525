"""The one way in which the model says no."""


class RefusedError(Exception):
    """A call was refused and nothing was written: an HTTP-like status and a message (contract §11).

    `status` is one of 400, 401, 404 and 409.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


def refuse_unless(condition: object, status: int, message: str) -> None:
    """Raise `RefusedError` with this status and message unless the condition is true (§11)."""
    if not condition:
        raise RefusedError(status, message)
