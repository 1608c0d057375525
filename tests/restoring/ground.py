"""An installation that is backed up and restored."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy

from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.mail.transports.recording import recording
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.restoring.check import Checked, check, is_behind
from halo_engine.restoring.lists import read_lists
from halo_engine.work import OrgRef
from tests.pipeline.sandbox import EMAIL, Sandbox, new_sandbox

_ACME = OrgRef(key="acme")
_STEPS = [
    EMAIL,
    {"key": "later", "delay": "1d", "email": {"subject": "Later", "body": "Later"}},
    {"key": "last", "delay": "1d", "email": {"subject": "Last", "body": "Last"}},
]


@dataclass
class Drill:
    """An installation, its file of sent mails, and what went out from all its databases."""

    database: sqlalchemy.Engine
    path: Path
    post: MemoryTransport = field(default_factory=MemoryTransport)
    acme: Sandbox = field(init=False)

    def __post_init__(self) -> None:
        """Let three users come."""
        new_sandbox(self.database, "acme")
        self.acme = self._on(self.database, datetime.now(UTC).replace(microsecond=0))
        self.acme.series("welcome", steps=_STEPS)
        for name in ("ann", "bob", "cid"):
            self.identify(name)
        self.acme.settle()

    def _on(self, database: sqlalchemy.Engine, now: datetime) -> Sandbox:
        def behind(last: object) -> bool:
            with database.connect() as connection:
                return is_behind(connection, last, datetime.now(UTC))  # type: ignore[arg-type]

        sandbox = Sandbox(database, _ACME, now)
        sandbox.transport = recording(self.post, self.path, behind)  # type: ignore[assignment]
        return sandbox

    def identify(self, name: str) -> None:
        """Let an application name a user."""
        call = IdentifyCall(user_id=name, traits={"email": f"{name}@a.example"})
        self.acme.perform(lambda work: identify(work, call))

    def restored(self, database: sqlalchemy.Engine) -> None:
        """Go on with another database, at the same instant, in a new process."""
        self.acme = self._on(database, self.acme.now)

    def check(self, *, apply: bool = False) -> Checked:
        """Compare the file with the database."""
        with self.acme.database.begin() as connection:
            return check(connection, read_lists([self.path]), apply=apply)

    def mails(self) -> Counter[tuple[str, str]]:
        """Return how often each mail went out, by its contact and subject."""
        return Counter((each["To"].partition("@")[0], each["Subject"]) for each in self.post.sent)


def counts(checked: Checked) -> dict[str, int]:
    """Return how many mails there are of each fate that some have."""
    return {fate.value: count for fate, count in checked.mails.items() if count}
