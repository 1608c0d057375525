"""A drill: work, back up, work on, restore, check, and start: no mail goes twice, none is lost."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import sqlalchemy
from sqlalchemy import select

from halo_engine.restoring.check import check
from halo_engine.restoring.fates import Fate
from halo_engine.restoring.lists import read_lists
from halo_engine.tables import automation_enrollments, automation_recipients, messages
from tests.restoring.ground import Drill, counts

_DAY = timedelta(days=1)


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

    assert counts(drill.check()) == {"known": 3, "again": 6, "nobody": 3}
    applied = drill.check(apply=True)
    assert (applied.mails[Fate.AGAIN], applied.addresses_unsure, applied.applied) == (6, 3, True)
    assert counts(drill.check()) == {"known": 9, "nobody": 3}

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
    assert counts(drill.check(apply=True)) == {"known": 3, "nobody": 1}
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
    assert counts(checked) == {"again": 3}
    with backup.connect() as connection:
        states = connection.scalars(select(messages.c.state)).all()
    assert states == ["sent"] * 6
