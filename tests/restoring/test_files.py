"""The file of sent mails: what is in it, and what is read of it."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy

from halo_engine.domain.errors import Refusal
from halo_engine.mail.transports.recording import Sent, last_sent, read_sent
from halo_engine.mail.transports.transports import PermanentFailure
from halo_engine.restoring.lists import read_lists
from halo_engine.tables import messages
from tests.restoring.ground import Drill


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


def test_a_line_that_could_not_be_written_whole_holds_its_mail_back(
    drill: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk takes half of it; the next line is a line of its own."""
    sent, names = list(drill.post.sent), {each.message_id for each in last_sent(drill.path)}
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, text: write(file, text[: len(text) // 2]))
        drill.identify("dan")
        drill.acme.settle()
    assert drill.post.sent == sent
    drill.acme.tick(timedelta(minutes=5))
    assert drill.mails()["dan", "Hi"] == 1
    assert len({each.message_id for each in last_sent(drill.path)} - names) == 1


def test_the_file_may_be_rotated_while_a_worker_writes_it(drill: Drill) -> None:
    """What goes out next is in a new file, under the old name."""
    old = drill.path.rename(drill.path.with_suffix(".1"))
    drill.identify("dan")
    drill.acme.settle()
    assert [len(last_sent(path)) for path in (old, drill.path)] == [3, 1]


def test_a_try_that_may_have_arrived_is_not_taken_back_by_the_next(drill: Drill) -> None:
    """Each line that says so takes back one try."""
    [first, *_] = drill.path.read_text().splitlines()
    said = json.loads(first)
    none = json.dumps({"message_id": said["message_id"], "at": said["at"], "not_sent": True})
    [sent] = read_sent([first])
    assert read_sent([first, first, none]) == [sent]
    assert read_sent([first, none, first]) == [sent]
    assert read_sent([first, none]) == read_sent([first, first, none, none]) == []
