"""A drill: work, back up, work on, restore, check, and start: no mail goes twice, none is lost."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import select

from halo_engine import database as halo_database
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.domain.errors import Refusal
from halo_engine.mail.transports.recording import Sent, last_sent, recording
from halo_engine.mail.transports.transports import MemoryTransport, PermanentFailure
from halo_engine.restoring.check import Checked, Fate, check, is_behind
from halo_engine.restoring.lists import read_lists
from halo_engine.tables import automation_enrollments, automation_recipients, messages
from halo_engine.work import OrgRef
from tests.conftest import clone_of
from tests.pipeline.sandbox import EMAIL, Sandbox, new_sandbox

_ACME = OrgRef(key="acme")
_DAY = timedelta(days=1)
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


@pytest.fixture
def drill(database: sqlalchemy.Engine, tmp_path: Path) -> Drill:
    """Three users have had the first mail."""
    return Drill(database, tmp_path / "sent.log")


@pytest.fixture
def back_up(
    database: sqlalchemy.Engine, administrate: Callable[[str], None]
) -> Iterator[Callable[[], sqlalchemy.Engine]]:
    """Copy the database as it is now; the copy is what a backup restores."""
    name = f"{database.url.database}_restored"
    made: list[sqlalchemy.Engine] = []

    def copy() -> sqlalchemy.Engine:
        database.dispose()
        administrate(f"CREATE DATABASE {name} {clone_of(str(database.url.database))}")
        url = database.url.set(database=name).render_as_string(hide_password=False)
        made.append(halo_database.create_engine(url))
        return made[0]

    yield copy
    for each in made:
        each.dispose()
    administrate(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _counts(checked: Checked) -> dict[str, int]:
    return {fate.value: count for fate, count in checked.mails.items() if count}


def test_after_a_restore_no_mail_goes_twice_and_none_is_lost(
    drill: Drill, back_up: Callable[[], sqlalchemy.Engine]
) -> None:
    """Mails whose rows were in the backup, and mails at steps whose rows were made after it, stay
    sent once. The new database sends nothing until it has been told.
    """
    backup = back_up()
    drill.identify("dan")
    drill.acme.settle()
    drill.acme.tick(_DAY)
    drill.acme.tick(_DAY)
    names, subjects = ("ann", "bob", "cid", "dan"), ("Hi", "Later", "Last")
    everything = Counter({(name, subject): 1 for name in names for subject in subjects})
    assert drill.mails() == everything

    drill.restored(backup)
    drill.acme.tick()
    assert drill.mails() == everything
    assert drill.acme.count(messages) == 3

    assert _counts(drill.check()) == {"known": 3, "again": 6, "nobody": 3}
    applied = drill.check(apply=True)
    assert (applied.mails[Fate.AGAIN], applied.addresses_unsure, applied.applied) == (6, 3, True)
    assert _counts(drill.check()) == {"known": 9, "nobody": 3}

    for name in names[:3]:
        drill.identify(name)
    drill.identify("eve")
    for _ in range(4):
        drill.acme.tick(_DAY)
    everything |= Counter({("eve", subject): 1 for subject in subjects})
    assert drill.mails() == everything
    runs = automation_enrollments
    assert drill.acme.count(runs) == 4
    assert drill.acme.count(runs, runs.c.exit_reason == "completed") == 4
    rows = automation_recipients
    assert drill.acme.count(rows, rows.c.status == "completed") == 12


def test_a_contact_who_is_not_in_the_backup_gets_its_mails_again(
    drill: Drill, back_up: Callable[[], sqlalchemy.Engine]
) -> None:
    """Nobody can know that it is the same: this is what the check says of it."""
    backup = back_up()
    drill.identify("dan")
    drill.acme.settle()
    drill.restored(backup)
    assert _counts(drill.check(apply=True)) == {"known": 3, "nobody": 1}
    drill.identify("dan")
    drill.acme.settle()
    assert drill.mails()["dan", "Hi"] == 2


def test_numbers_of_rows_are_not_given_out_again(
    drill: Drill, back_up: Callable[[], sqlalchemy.Engine]
) -> None:
    """A mail of later has no Message-ID that one of before had."""
    backup = back_up()
    drill.acme.tick(_DAY)
    drill.restored(backup)
    drill.check(apply=True)
    drill.identify("eve")
    drill.acme.settle()
    names = [each["Message-ID"] for each in drill.post.sent]
    assert len(names) == len(set(names)) == 7


def test_a_mail_that_was_certainly_not_sent_is_taken_back(drill: Drill) -> None:
    """The file names it, and then says that it was not sent."""
    before = last_sent(drill.path)
    drill.post.send = _refuse  # type: ignore[assignment,method-assign]
    drill.identify("dan")
    drill.acme.settle()
    assert last_sent(drill.path) == before
    assert "not_sent" in drill.path.read_text()


def _refuse(*_: object) -> None:
    raise PermanentFailure("550 no")


def test_nothing_is_sent_that_cannot_be_written_down(
    database: sqlalchemy.Engine, tmp_path: Path
) -> None:
    """Where the file cannot be written, mail waits, and says why."""
    drill = Drill(database, tmp_path / "missing" / "sent.log")
    assert drill.post.sent == []
    assert drill.acme.count(messages) == 0
    drill.path.parent.mkdir()
    drill.acme.tick(timedelta(minutes=5))
    assert len(drill.post.sent) == 3


def test_a_providers_list_names_mails_whose_rows_are_there(
    drill: Drill, back_up: Callable[[], sqlalchemy.Engine], tmp_path: Path
) -> None:
    """As JSON lines and as CSV; of a mail at a later step it cannot say whose it was."""
    backup = back_up()
    drill.acme.tick(_DAY)
    drill.acme.tick(_DAY)
    ids = [each["Message-ID"] for each in drill.post.sent]
    lines, table = tmp_path / "list.jsonl", tmp_path / "list.csv"
    lines.write_text("".join(f'{{"Message-ID": "{each}"}}\n' for each in ids[:5]))
    table.write_text("event,smtp-id\n" + "".join(f"delivered,{each}\n" for each in ids[5:]))
    drill.restored(backup)
    with backup.begin() as connection:
        checked = check(connection, read_lists([lines, table]), apply=True)
    assert _counts(checked) == {"again": 3}
    with backup.connect() as connection:
        states = connection.scalars(select(messages.c.state)).all()
    assert states == ["sent"] * 6


def test_a_file_that_names_no_mail_is_refused(tmp_path: Path) -> None:
    """So is one that is not there; an empty one says that nothing was sent."""
    empty, other = tmp_path / "empty", tmp_path / "other"
    empty.touch()
    other.write_text("hello\nworld\n")
    assert read_lists([empty]).sent == ()
    for path in (other, tmp_path / "missing"):
        with pytest.raises(Refusal, match="sent: ") as refused:
            read_lists([path])
        assert refused.value.code == "bad_input"


def test_a_line_that_was_cut_is_passed_over(drill: Drill) -> None:
    """A power cut may leave half a line."""
    sent: list[Sent] = last_sent(drill.path)
    with drill.path.open("a") as file:
        file.write('{"message_id": "<half')
    assert last_sent(drill.path) == sent
    assert len(sent) == 3
