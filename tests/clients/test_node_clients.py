"""Node's own clients, unchanged: @segment/analytics-node 3.1.0, customerio-node 5.2.0 (§13).

The versions are pinned in ``node/package-lock.json``.
"""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from halo_engine.domain.roles import Role
from halo_engine.tables import events, suppressions
from tests.clients.conftest import NODE_SECONDS, NODE_SOURCES
from tests.clients.sending import happened, members, people, rows
from tests.web.conftest import Web
from tests.web.test_applications import key_of


@pytest.fixture(scope="module")
def script(npm_clients: Path) -> Path:
    """The script that sends, beside the clients that it uses."""
    return Path(shutil.copy(NODE_SOURCES / "send.mjs", npm_clients))


def test_nodes_clients_work_unchanged(web: Web, script: Path) -> None:
    """Everything that Node's clients send is stored once, with its meaning."""
    org = web.organization()
    backend = key_of(web, org, Role.INGEST)
    done = subprocess.run(
        ["node", script.name, web.url, str(org.widget_key), backend],
        cwd=script.parent,
        timeout=NODE_SECONDS,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert people(web, org) == [
        ("ann", "ann@a.example", {"city": "Rome"}),
        ("bob", "bob@a.example", {}),
    ]
    assert sorted(happened(web, org), key=str) == [
        ("Viewed Docs Index Page", "ann", None),
        ("Viewed Home Screen", "ann", "a2"),
        ("early", "bob", None),
        ("opened", "bob", None),
        ("paid", "ann", None),
    ]
    said = dict(rows(web, org, events, "name", "properties"))
    assert said["paid"] == {"total": 5, "when": "2020-01-02T00:00:00.000Z"}
    assert said["opened"] == {"from": "mail"}
    assert dict(rows(web, org, events, "name", "happened_at"))["opened"] == datetime(
        2020, 1, 2, tzinfo=UTC
    )
    assert members(web, org) == [("acme", "Acme", {}, "ann")]
    assert rows(web, org, suppressions, "address") == [("bob@a.example",)]
