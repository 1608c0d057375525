"""The cookie that holds a session's id (contract §17)."""

from dataclasses import dataclass
from typing import Final

from halo_engine.operators.sessions import LONGEST_SESSION

from ..messages.requests import Request
from ..messages.responses import Headers

_NAME: Final = "halo_session"


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The cookie; over https its name keeps other hosts of the same domain from planting one."""

    is_secure: bool

    @property
    def name(self) -> str:
        """Its name."""
        return f"__Host-{_NAME}" if self.is_secure else _NAME

    def read(self, request: Request) -> str | None:
        """Return the session's id that a request bears; None if it bears none, or several."""
        given = request.headers.get(b"cookie", b"").decode("latin-1")
        # Several headers were joined by a comma, which no id of ours has.
        pairs = (each.strip().partition("=") for each in given.replace(",", ";").split(";"))
        found = {value for name, _, value in pairs if name == self.name and value}
        return found.pop() if len(found) == 1 else None

    def keep(self, session: str) -> Headers:
        """Return the header that has the browser keep a session's id."""
        return self._set(session, int(LONGEST_SESSION.total_seconds()))

    def drop(self) -> Headers:
        """Return the header that has the browser forget it."""
        return self._set("", 0)

    def _set(self, value: str, seconds: int) -> Headers:
        secure = "; Secure" if self.is_secure else ""
        said = f"{self.name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        return ((b"set-cookie", said.encode()),)
