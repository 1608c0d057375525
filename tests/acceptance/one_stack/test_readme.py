"""README.md's examples work in an environment that has Celery but not the engine."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from packaging.requirements import Requirement

from halo_engine.tables import end_users, events
from tests.acceptance.conftest import Stack

_ROOT = Path(__file__).parents[3]


def _examples() -> list[str]:
    """The Python that the section about calling shows."""
    section = (_ROOT / "README.md").read_text().split("## Calling it")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """The Python of a new environment with Celery, what Celery needs, and the client."""
    with TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        python = Path(folder) / "bin" / "python"
        [packages] = Path(folder).glob("lib/python*/site-packages")
        for name in _needed_by("celery[redis]"):
            _link(distribution(name), packages)
        # A build writes beside what it builds.
        client = shutil.copytree(_ROOT / "client", Path(folder) / "client")
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, client)
        [wheel] = Path(folder).glob("*.whl")
        _pip("--python", python, "install", wheel)
        yield python


def _pip(*arguments: str | Path) -> None:
    """Run pip, which asks no registry: what a package needs must be there."""
    command = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)
    subprocess.run(command, check=True, env={**os.environ, "PIP_NO_INDEX": "1"})


def _needed_by(requirement: str) -> set[str]:
    """Return the distributions that installing a requirement brings, itself included."""
    found: dict[str, set[str]] = {}
    waiting = [Requirement(requirement)]
    while waiting:
        asked = waiting.pop()
        extras = {"", *asked.extras}
        if extras <= found.get(asked.name, set()):
            continue
        found.setdefault(asked.name, set()).update(extras)
        needed = map(Requirement, distribution(asked.name).requires or ())
        waiting += [each for each in needed if _applies(each, extras)]
    return set(found)


def _applies(needed: Requirement, extras: set[str]) -> bool:
    marker = needed.marker
    return marker is None or any(marker.evaluate({"extra": each}) for each in extras)


def _link(installed: Distribution, packages: Path) -> None:
    """Have an environment find an installed distribution: its modules and what is said of it."""
    for name in {file.parts[0] for file in installed.files or () if file.parts[0] != ".."}:
        place = packages / name
        if name != "__pycache__" and not place.exists():
            place.symlink_to(Path(str(installed.locate_file(name))))


def _run(python: Path, code: str, **environment: str) -> str:
    path = os.environ["PATH"]
    run = subprocess.run(
        [python, "-I", "-c", code],
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_environment_has_nothing_of_ours(python: Path) -> None:
    """The environment has no package of the engine; otherwise the examples would prove nothing."""
    code = "import importlib.util as u; print(u.find_spec('workers'), u.find_spec('halo_engine'))"
    assert _run(python, code) == "None None\n"


def test_what_the_readme_shows_reaches_the_workers(stack: Stack, python: Path) -> None:
    """Each example, run word for word, reaches a worker, and its answer comes back."""
    org = stack.organization()
    by_client, by_celery = _examples()
    servers = {"HALO_BROKER_URL": stack.app.conf.broker_url, "HALO_WIDGET_KEY": org}
    assert "'warnings': []" in _run(python, by_client, **servers)
    assert "'created': True" in _run(python, by_celery, **servers)
    assert stack.sandbox(org).count(end_users) == 2
    assert stack.sandbox(org).count(events) == 1


def test_the_client_says_when_a_call_was_sent(python: Path) -> None:
    """Each call carries when it was sent, so that the later of two counts (§2), and its headers."""
    code = """
from datetime import UTC, datetime, timedelta
from halo_client import Halo
halo = Halo("redis://nowhere.invalid", widget_key="ab_live", org="acme")
class App:
    def send_task(self, task, *, kwargs, headers, link=None, expires=None):
        sent_at = kwargs.pop("sent_at", None)
        age = sent_at and datetime.now(UTC) - datetime.fromisoformat(sent_at)
        print(task, kwargs, headers, expires, age and age < timedelta(minutes=1))
        return self
    def get(self, timeout):
        return None
halo.app = App()
halo.send("halo.identify", user_id="ann", headers={"X-Request-Id": "7"})
halo.order("halo.series.pause", series="welcome")
"""
    assert _run(python, code).splitlines() == [
        "halo.identify {'widget_key': 'ab_live', 'user_id': 'ann'} {'X-Request-Id': '7'} None True",
        "halo.series.pause {'org': 'acme', 'series': 'welcome'} {} None True",
    ]


def test_the_client_raises_a_refusal_and_orders_what_expires(stack: Stack, python: Path) -> None:
    """The client raises a refusal with status, code and message, and sends an operator's order with
    its expiry.
    """
    code = """
import os
from halo_client import Halo, Refused
halo = Halo(os.environ["URL"], widget_key=os.environ["ORG"], org=os.environ["ORG"])
try:
    halo.ask("halo.identify", user_id="ann", traits={"created_at": "now"})
except Refused as refused:
    print(refused.status, refused.code, "created_at" in str(refused))
print(halo.order("halo.series.list"))
try:
    halo.order("halo.series.pause", series="none")
except Refused as refused:
    print(refused.status, refused.code)
"""
    said = _run(python, code, URL=stack.app.conf.broker_url, ORG=stack.organization())
    assert said.splitlines() == ["400 reserved_trait True", "[]", "404 unknown_series"]


def test_the_client_says_when_the_broker_is_away(python: Path) -> None:
    """A call that cannot be sent raises kombu's OperationalError, each time (calling.md)."""
    code = """
from halo_client import Halo
from kombu.exceptions import OperationalError
halo = Halo("redis://127.0.0.1:1", widget_key="ab_live", org="acme")
halo.app.conf.result_backend_transport_options["retry_policy"] = {"max_retries": 1}
for send in (halo.send, halo.send, halo.ask, halo.order):
    try:
        send("halo.identify")
    except OperationalError as away:
        print("127.0.0.1:1" in str(away))
"""
    assert _run(python, code).splitlines() == ["True"] * 4
