"""Files that came over HTTP, imported by workers from the database (contract §12, Imports)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, update

from halo_engine.contacts.csv_import import rows as csv_rows
from halo_engine.contacts.csv_import.uploads import pieces
from halo_engine.contacts.csv_import.uploads.receiving import (
    StartCall,
    Upload,
    UploadCall,
    UploadOptions,
    add_chunk,
    begin_upload,
    complete_upload,
    drop_upload,
    show_import,
    start_import,
)
from halo_engine.contacts.csv_import.uploads.turns import import_turn, stale_imports
from halo_engine.domain.errors import Refusal, validated
from halo_engine.opening import open_work
from halo_engine.tables import csv_chunks, end_users
from halo_engine.tables import csv_uploads as uploads
from halo_engine.work import OrgRef, Work
from tests.contacts.sandbox import NOW, committed_organization, committing

ROWS = 25


@dataclass
class Ground:
    """An organisation without contacts, and small pieces and pages."""

    database: Engine
    org: OrgRef

    def transact(self, action: Callable[[Work], Any]) -> Any:
        """Run something in a transaction of its own."""
        return committing(self.database, self.org)(action)

    def upload(self, data: bytes, **options: Any) -> UUID:
        """Keep a file as it comes, and return its id."""
        how = validated(UploadOptions, options, "imports")
        upload_id: UUID = self.transact(lambda work: begin_upload(work, how))
        for number, begins in enumerate(range(0, len(data), pieces.CHUNK)):
            piece = data[begins : begins + pieces.CHUNK]
            keep = partial(add_chunk, upload_id=upload_id, number=number, data=piece)
            self.transact(keep)
        self.transact(partial(complete_upload, upload_id=upload_id))
        return upload_id

    def start(self, upload_id: UUID) -> Upload:
        """Have it imported."""
        started: Upload = self.transact(lambda work: start_import(work, StartCall(id=upload_id)))
        return started

    def turn(self, upload_id: UUID, *, over: bool = False) -> bool:
        """Do a turn as a worker does: of one page, or to the end."""
        return import_turn(self.transact, upload_id, lambda: over)

    def shown(self, upload_id: UUID) -> Upload:
        """Return how far it is."""
        shown: Upload = self.transact(lambda work: show_import(work, UploadCall(id=upload_id)))
        return shown

    def contacts(self) -> list[str]:
        """Return the external IDs of the organisation's contacts."""
        found = select(end_users.c.external_id).where(end_users.c.org_id == self.org.id)
        with self.database.connect() as connection:
            return sorted(connection.scalars(found), key=lambda each: int(each[1:]))

    def chunks(self) -> int:
        """Return how many pieces are kept."""
        found = select(func.count()).where(csv_chunks.c.org_id == self.org.id)
        with self.database.connect() as connection:
            return connection.scalar(found) or 0


@pytest.fixture
def ground(shared_database: Engine, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """Pieces of 64 bytes, pages of ten rows."""
    monkeypatch.setattr(pieces, "CHUNK", 64)
    monkeypatch.setattr(csv_rows, "PAGE_SIZE", 10)
    monkeypatch.setattr(csv_rows.pages, "__defaults__", (csv_rows.NOTHING_KNOWN, 10))
    return Ground(shared_database, committed_organization(shared_database))


def file_of(rows: int, *, bad: int | None = None) -> str:
    """Return a file of that many rows, the one numbered ``bad`` without a name of anybody."""
    lines = [
        ",,1" if number == bad else f"u{number},u{number}@a.example,{number}"
        for number in range(rows)
    ]
    return "\n".join(("user_id,email,Größe", *lines, ""))


EVERYBODY = [f"u{number}" for number in range(ROWS)]


def test_a_file_is_imported_to_its_end(ground: Ground) -> None:
    """A file is imported by the mapping that its header suggests; then it is deleted, and its
    counts stay.
    """
    file = file_of(ROWS).encode()
    upload = ground.upload(file)
    started = ground.start(upload)
    assert (started.state, started.mapping) == (
        "running",
        {"user_id": "external_id", "email": "email"},
    )
    assert ground.turn(upload)
    assert ground.contacts() == EVERYBODY
    assert ground.chunks() == 0
    shown = ground.shown(upload).model_dump(mode="json")
    assert shown == {
        "id": str(upload),
        "file_name": None,
        "state": "finished",
        "mapping": {"user_id": "external_id", "email": "email"},
        "bytes": len(file),
        "bytes_read": len(file),
        "rows_done": ROWS,
        "created": ROWS,
        "updated": 0,
        "bad": 0,
        "errors": [],
        "bad_cells": 0,
        "cell_errors": [],
        "warnings": [],
        "refused": None,
        "created_at": "2026-06-01T09:00:00.000000+00:00",
        "finished_at": "2026-06-01T09:00:00.000000+00:00",
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1252"])
def test_turns_go_on_where_the_last_one_ended(ground: Ground, encoding: str) -> None:
    """Each turn resumes where the last one ended, also within a piece or a character; each row is
    done once.
    """
    named = {"encoding": encoding} if encoding == "windows-1252" else {}
    mapping = {"user_id": "external_id", "Größe": "custom:size"}
    upload = ground.upload(file_of(ROWS, bad=12).encode(encoding), mapping=mapping, **named)
    ground.start(upload)
    done = []
    while not ground.turn(upload, over=True):
        done.append(ground.shown(upload).rows_done)
    assert done == [10, 20, 25]
    assert ground.contacts() == [each for each in EVERYBODY if each != "u12"]
    shown = ground.shown(upload)
    assert (shown.created, shown.updated, shown.bad) == (24, 0, 1)
    assert [(each.line, each.code) for each in shown.errors] == [(14, "bad_row")]


def test_progress_is_told_in_bytes(ground: Ground) -> None:
    """Progress is reported in bytes, and grows."""
    upload = ground.upload(file_of(ROWS).encode())
    ground.start(upload)
    seen = [ground.shown(upload).bytes_read]
    while not ground.turn(upload, over=True):
        seen.append(ground.shown(upload).bytes_read)
    assert seen == sorted(seen)
    assert seen[0] == 0 < seen[1] < ground.shown(upload).bytes


def test_a_worker_that_dies_loses_its_page_alone(ground: Ground) -> None:
    """A page whose worker dies is rolled back, and the next worker imports it."""
    upload = ground.upload(file_of(ROWS).encode())
    ground.start(upload)
    ground.turn(upload, over=True)
    written = 0

    def dying(action: Callable[[Work], Any]) -> Any:
        nonlocal written

        def done(work: Work) -> Any:
            nonlocal written
            answer = action(work)
            written += answer is True
            if written == 2:
                raise KeyboardInterrupt
            return answer

        return ground.transact(done)

    with pytest.raises(KeyboardInterrupt):
        import_turn(dying, upload, lambda: False)
    assert ground.shown(upload).rows_done == 20
    assert ground.turn(upload)
    assert (ground.shown(upload).created, ground.contacts()) == (ROWS, EVERYBODY)


def test_of_two_workers_one_goes_on(ground: Ground) -> None:
    """Of two workers on one file one finds its page done and stops, and no row is done twice."""
    upload = ground.upload(file_of(ROWS).encode())
    ground.start(upload)
    overtaken = False

    def slow(action: Callable[[Work], Any]) -> Any:
        nonlocal overtaken
        if not overtaken and getattr(action, "keywords", {}).get("page") is not None:
            overtaken = True
            ground.turn(upload, over=True)
        return ground.transact(action)

    assert import_turn(slow, upload, lambda: False)
    assert overtaken
    assert ground.shown(upload).rows_done == 10
    assert ground.turn(upload)
    assert (ground.shown(upload).created, ground.shown(upload).updated) == (ROWS, 0)


@pytest.mark.parametrize(
    ("file", "options", "code"),
    [
        ("name\nann\n", {}, "bad_mapping"),
        ("id\nann\n", {"mapping": {"nobody": "email"}}, "bad_mapping"),
        ("id\nann\n", {"mapping": {"id": "shoe size"}}, "bad_mapping"),
        ("id,on\nann,yes\n", {"mapping": {"id": "external_id", "on": "list:no"}}, "bad_mapping"),
        ('"id\nann\n', {}, "bad_header"),
        ("", {}, "bad_mapping"),
    ],
)
def test_what_does_not_fit_the_header_is_refused_at_once(
    ground: Ground, file: str, options: dict[str, Any], code: str
) -> None:
    """A mapping that does not fit the header is refused before any row is read."""
    upload = ground.upload(file.encode(), **options)
    with pytest.raises(Refusal) as refusal:
        ground.start(upload)
    assert refusal.value.code == code
    ground.transact(lambda work: drop_upload(work, upload))
    assert (ground.chunks(), ground.contacts()) == (0, [])


def test_a_file_that_turns_out_unreadable_says_why(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows before an unreadable place are imported; the rest is not, and the file is deleted."""
    monkeypatch.setattr("halo_engine.contacts.csv_import.text.LONGEST_ROW", 100)
    monkeypatch.setattr("halo_engine.contacts.csv_import.text.LONGEST_LINE", 200)
    upload = ground.upload((file_of(12) + "x" * 1_000).encode())
    ground.start(upload)
    assert ground.turn(upload)
    shown = ground.shown(upload)
    assert (shown.state, shown.rows_done, ground.chunks()) == ("failed", 10, 0)
    assert isinstance(shown.refused, dict)
    assert (shown.refused["status"], shown.refused["code"]) == (400, "endless_line")


def test_an_import_is_started_once(ground: Ground) -> None:
    """A second start is refused; an unknown one is a 404."""
    upload = ground.upload(file_of(1).encode())
    ground.start(upload)
    with pytest.raises(Refusal) as refusal:
        ground.start(upload)
    assert (refusal.value.status, refusal.value.code) == (409, "import_started")
    with pytest.raises(Refusal, match="There is no import"):
        ground.start(UUID(int=1))


def test_a_running_import_without_a_worker_is_found(ground: Ground) -> None:
    """An import is found a minute after its last page, not earlier, and never when it is over."""
    upload = ground.upload(file_of(ROWS).encode())
    ground.start(upload)

    def stale(since: timedelta) -> bool:
        with ground.database.begin() as connection:
            at = func.clock_timestamp() - since
            connection.execute(update(uploads).where(uploads.c.id == upload).values(touched_at=at))
            return upload in [each for _, each in stale_imports(connection)]

    assert not stale(timedelta(seconds=50))
    assert stale(timedelta(seconds=61))
    ground.turn(upload)
    assert not stale(timedelta(days=1))


def test_what_is_left_of_old_uploads_goes_with_the_next(ground: Ground) -> None:
    """The next upload deletes files that are incomplete after a day, and reports after a month."""
    never, done = ground.upload(file_of(1).encode()), ground.upload(file_of(1).encode())
    ground.start(done)
    ground.turn(done)

    def at(**later: float) -> int:
        with ground.database.begin() as connection:
            work = open_work(connection, ground.org, NOW + timedelta(**later))
            begin_upload(work, UploadOptions())
        with ground.database.connect() as connection:
            mine = uploads.c.id.in_([never, done])
            return connection.scalar(select(func.count()).where(mine)) or 0

    assert [at(hours=23), at(hours=25), at(days=29), at(days=31)] == [2, 1, 1, 0]
