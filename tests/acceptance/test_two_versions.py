"""Two versions of the code side by side on one database, as in a rolling deploy: the migrations are
those of the newer one (decision 23).
"""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from sqlalchemy import make_url

from halo_engine.database import create_engine
from halo_engine.settings import Settings
from tests.acceptance.conftest import Stack
from tests.conftest import clone_of
from tests.races.invariants import violations
from workers.configuration import create_app
from workers.stack.folders import throwaway_folder
from workers.stack.processes import stack_environment, start_beat, start_worker
from workers.stack.servers import Servers

#: The last version that was released before this one: it runs while this one is rolled out.
VERSION_BEFORE: Final = "dbb3b3a5e4348a4b68cf65acae5d4a4df318d0ba"

_ROOT: Final = Path(__file__).parents[2]
_CONTACTS: Final = 40

SERIES: Final[dict[str, Any]] = {
    "welcome": {
        "entry_trigger": "user_created",
        "steps": [
            {"key": "hello", "email": {"subject": "Hello", "body": "Hello {{ name }}"}},
            {"key": "gate", "condition": {"type": "user_property", "value": "plan=pro"}},
            {"key": "bye", "email": {"subject": "Bye", "body": "Bye"}},
        ],
    },
    "paid": {
        "entry_trigger": "event",
        "settings": {"entry_event_name": "paid", "reenroll_enabled": True},
        "steps": [{"key": "thanks", "email": {"subject": "Thanks", "body": "Thanks"}}],
    },
    "pro": {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [{"field": "plan", "operator": "is", "value": "pro"}],
        "settings": {"one_per_company": True, "exit_rules": ["segment_leave"]},
        "steps": [{"key": "later", "delay": "1d", "email": {"subject": "Pro", "body": "Pro"}}],
    },
}


def version_before(folder: Path) -> Path:
    """Unpack the version before this one, of the repository's own history, and return where."""
    said = subprocess.run(
        ["git", "-C", str(_ROOT), "archive", VERSION_BEFORE], capture_output=True, check=False
    )
    if said.returncode != 0:
        # A shallow clone, or the files alone: nothing is wrong with them.
        pytest.skip(
            f"it did not run: the history lacks {VERSION_BEFORE}, to run beside this version;"
            " a shallow clone is deepened by `git fetch --unshallow`"
            f" ({said.stderr.decode(errors='replace').strip()})"
        )
    tree = folder / "before"
    tree.mkdir()
    subprocess.run(["tar", "-x", "-C", str(tree)], input=said.stdout, check=True)
    return tree


@pytest.fixture(scope="module")
def both(servers: Servers, administrate: Callable[[str], None], template: str) -> Iterator[Stack]:
    """A worker and a beat of either version, on one database and one broker."""
    name = f"halo_versions_{uuid4().hex}"
    administrate(f"CREATE DATABASE {name} {clone_of(template)}")
    url = make_url(servers.database_url).set(database=name).render_as_string(hide_password=False)
    with throwaway_folder("versions") as folder, ExitStack() as stack:
        mail = folder / "mail"
        environment = stack_environment(
            Servers(url, servers.broker_url), tick_seconds=1, mail_folder=mail
        )
        tree = version_before(folder)
        before = {**environment, "PYTHONPATH": str(tree)}
        in_tree: dict[str, Any] = {"app": ("--workdir", tree, "-A", "workers.app")}
        for version, its, which in (("before", before, in_tree), ("now", environment, {})):
            log = folder / f"{version}.log"
            worker = start_worker(folder, its, name=f"worker-{version}", log=log, **which)
            stack.callback(worker.stop)
            log = folder / f"beat-{version}.log"
            stack.callback(start_beat(folder, its, name=f"beat-{version}", log=log, **which).stop)
        database = create_engine(url, application_name="halo-acceptance")
        stack.callback(database.dispose)
        app = create_app(Settings(database_url=url, broker_url=servers.broker_url))
        yield Stack(app, database, mail)
    administrate(f"DROP DATABASE {name} WITH (FORCE)")


def test_two_versions_work_side_by_side(both: Stack) -> None:
    """Both versions share calls, ticks, mail and operators' changes, and all invariants of an
    organisation at rest hold.
    """
    org = both.organization()

    def operate(task: str, **call: Any) -> Any:
        answer = both.ask(f"halo.series.{task}", org=org, **call)
        assert "refused" not in answer
        return answer

    operate("apply", series=SERIES)
    for key in SERIES:
        operate("activate", series=key)
    for number in range(_CONTACTS):
        user = f"u{number}"
        traits = {"email": f"{user}@a.example", "plan": "pro" if number % 2 else "free"}
        _sent(both, "identify", widget_key=org, user_id=user, traits=traits)
        company = {"widget_key": org, "id": f"c{number % 7}", "user_id": user}
        _sent(both, "companies.identify", **company)
        _sent(both, "track", widget_key=org, user_id=user, event="paid")
        if number % 20 == 10:
            operate("pause", series="welcome")
            operate("resume", series="welcome")
        if number % 20 == 15:
            _sent(both, "identify", widget_key=org, user_id=user, traits={"plan": "free"})
    both.wait_until(lambda: _entered(both, org) >= _CONTACTS, "everybody entered")
    both.wait_until(lambda: _all_have_a_part(both, org), "each version handled calls and ticks")
    both.wait_until(lambda: _broken(both) == [], "all came to rest")


def _sent(both: Stack, door: str, **call: Any) -> None:
    answer = both.ask(f"halo.{door}", **call)
    assert "refused" not in answer


def _entered(both: Stack, org: str) -> int:
    funnel = both.ask("halo.series.funnel", org=org, series="paid")
    return int(funnel["enrolled"])


def _broken(both: Stack) -> list[str]:
    with both.database.connect() as connection:
        return violations(connection, {})


def _all_have_a_part(both: Stack, org: str) -> bool:
    """Make one more call, and return whether each worker has handled calls, settled and ticked."""
    _sent(both, "track", widget_key=org, user_id="u0", event="paid")
    stats = both.app.control.inspect(timeout=10, limit=2).stats() or {}
    wanted = ("halo.track", "halo.identify", "halo.settle", "halo.tick")
    return len(stats) == 2 and all(
        each["total"].get(name) for each in stats.values() for name in wanted
    )
