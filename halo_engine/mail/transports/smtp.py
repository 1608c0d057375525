"""Send mail over SMTP, on one connection that is kept between messages (contract §9)."""

from threading import Lock
from time import monotonic

from halo_engine.domain.mail_names import relay_id_in
from halo_engine.mail.transports.smtp_session import BrokenOffError, Session
from halo_engine.mail.transports.smtp_url import SmtpServer
from halo_engine.mail.transports.transports import (
    Announcing,
    Mail,
    PermanentFailure,
    ServerDown,
    TemporaryFailure,
)


class SmtpTransport(Announcing):
    """A mail server; ``within_seconds`` limits the time of one message, connecting included.

    Each worker process makes its own, after the fork. Threads wait for each other; a message
    retracts what another thread announced.
    """

    def __init__(self, server: SmtpServer, *, within_seconds: float = 45.0) -> None:
        self._server = server
        self._within = within_seconds
        self._kept: Session | None = None
        self._lock = Lock()

    def announce(self, mail: Mail) -> None:
        """Send the envelope of ``mail`` ahead, if a connection is kept."""
        with self._lock:
            session, self._kept = self._kept, None
            if session is not None and session.announce(mail, monotonic() + self._within):
                self._kept = session

    def retract(self) -> None:
        """Retract a message that was announced and not sent."""
        with self._lock:
            if self._kept is not None and self._kept.is_announced:
                self._forget()

    def send(self, mail: Mail, key: str) -> str | None:  # noqa: ARG002 -- a header says it
        """Send ``mail``; returns and raises what ``Transport`` says."""
        with self._lock:
            deadline = monotonic() + self._within
            if self._kept is not None and self._kept.is_fit_for(mail):
                try:
                    return self._hand_over(self._kept, mail, deadline)
                except BrokenOffError:
                    # The server closed the old connection; a new one may work.
                    pass
            self._forget()
            session = Session(self._server, deadline)
            try:
                return self._hand_over(session, mail, deadline)
            except BrokenOffError as broken:
                raise ServerDown(str(broken), broke_off=broken.begun) from broken

    def check(self) -> str:
        """Connect, greet, encrypt and log in, without sending; describe the connection in words.

        Raises ServerDown.
        """
        with self._lock:
            session = Session(self._server, monotonic() + self._within)
            session.leave()
            return session.described

    def close(self) -> None:
        """Say goodbye to the server, if there is a connection."""
        with self._lock:
            if self._kept is not None:
                self._kept.leave()
                self._kept = None

    def _hand_over(self, session: Session, mail: Mail, deadline: float) -> str | None:
        """Hand the mail over, and keep the session if it can take another.

        Returns the server's id for the mail, if it replaces the Message-ID.
        """
        self._kept = None
        try:
            answer = session.hand_over(mail, deadline)
        except (PermanentFailure, TemporaryFailure):
            if session.reset():
                self._kept = session
            raise
        except BaseException:
            session.abandon()
            raise
        self._kept = session
        return relay_id_in(answer)

    def _forget(self) -> None:
        if self._kept is not None:
            self._kept.abandon()
            self._kept = None
