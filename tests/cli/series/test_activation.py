"""A large activation: watched while workers enroll, or left to them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from sqlalchemy import text

from halo_engine.cli.installation import Installation
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from tests.cli.console import Console

CONTACTS = 25_000
COMMAND = ("series", "activate", "letter", "--wait")
LETTER = """\
    series:
      letter:
        entry_trigger: manual
        steps: [{key: a, delay: 3d, email: {subject: A, body: A}}]
"""


@pytest.fixture
def crowd(bare: Console) -> Console:
    """An organisation with more contacts than one transaction enrolls, and the draft `letter`."""
    bare("org", "create", "acme")
    with bare.database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO end_users (org_id, external_id, source, email, created_at, updated_at,"
                " first_seen, last_seen) SELECT o.id, n, 'csv', n || '@a.example', now(), now(),"
                " now(), now() FROM organizations o, generate_series(1, :contacts) n"
            ),
            {"contacts": CONTACTS},
        )
    bare("series", "apply", bare.file("letter.yaml", LETTER))
    return bare


@contextmanager
def _installation(halo: Console, worker: Callable[[], None] | None) -> Iterator[Installation]:
    """Return an installation; its worker, if any, starts when it is asked for."""

    at_work: list[Thread] = []

    @contextmanager
    def engine() -> Iterator[Engine]:
        post = PostOffice(MemoryTransport(), Sender("Test", "test@halo.example"))
        yield Engine(halo.database, post)

    @contextmanager
    def server() -> Iterator[str]:
        yield halo.database.url.render_as_string(hide_password=False)

    def answers() -> bool:
        if worker is not None:
            at_work.append(Thread(target=worker))
            at_work[-1].start()
        return worker is not None

    yield Installation(engine, server, answers)
    for thread in at_work:
        thread.join()


def test_activation_that_is_watched_ends_with_everybody_enrolled(crowd: Console) -> None:
    """With `--wait` the command returns when the workers are done, and says how many entered."""
    with _installation(crowd, crowd.work) as installation:
        printed = crowd(*COMMAND, installation=installation)
    assert printed == f"letter is active; {CONTACTS} enrolled.\n"


def test_activation_without_a_worker_is_not_waited_for(crowd: Console) -> None:
    """Without a worker there is a hint; the activation is committed and continues later."""
    with _installation(crowd, None) as installation:
        printed = crowd(*COMMAND, installation=installation)
    assert printed == (
        "letter is active; 0 enrolled.\n"
        f"0 of {CONTACTS} contacts were looked at; the workers go on. Where none runs, start one: "
        "`halo up`.\n"
    )
    crowd.work()
    assert crowd.json("series", "ledger", "letter")["buckets"] == {"active": CONTACTS}


def test_activation_for_programs(crowd: Console) -> None:
    """With `--json` the answer has the progress."""
    assert crowd.json("series", "activate", "letter") == {
        "series": "letter",
        "status": "active",
        "activation": {
            "done": False,
            "contacts": CONTACTS,
            "looked_at": 0,
            "enrolled": 0,
            "parked": None,
        },
    }


def test_activation_that_failed_is_not_waited_for(crowd: Console) -> None:
    """If the enrollment was set aside, the command says so, with the error."""

    def fail() -> None:
        with crowd.database.begin() as connection:
            connection.execute(text("UPDATE signals SET parked_at = now(), error = 'KeyError: x'"))

    with _installation(crowd, fail) as installation:
        printed = crowd(*COMMAND, installation=installation)
    assert printed == (
        "letter is active; 0 enrolled.\n"
        "The enrollment failed and was set aside: KeyError: x (see `halo status`)\n"
    )
