"""A wheel, installed beside modules of others that have our folders' names, runs a series."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from zipfile import ZipFile

import pytest

from tests.platform.commands import lines_until

_ROOT = Path(__file__).parents[2]
_BUILT_FROM = ("halo_engine", "workers", "migrations", "pyproject.toml", "setup.py", "README.md")
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def _run(*command: str | Path, cwd: Path) -> str:
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build writes beside what it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in (*_BUILT_FROM, "LICENSE"):
        source = _ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    _run(*_PIP, "wheel", "--no-index", "--no-deps", "--no-build-isolation", ".", cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel, our dependencies, and others' modules."""
    folder = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    programs = folder / "bin"
    python = programs / "python"
    _run(*_PIP, "--python", python, "install", "--no-index", "--no-deps", wheel, cwd=folder)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(_run(python, "-c", ask, cwd=folder).strip())
    # What a named folder holds is found; its own .pth files, the link to the clone, are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    for name in ("workers", "migrations"):
        (packages / f"{name}.py").write_text("raise ImportError('this module is of somebody else')")
    return programs


def test_the_installed_code_does_not_know_the_clones_names(wheel: Path) -> None:
    """No module imports `workers` or `migrations`, or names a module of theirs in a text."""
    named = re.compile(r"""^\s*(from|import) (workers|migrations)\b|["']workers\.\w""", re.M)
    with ZipFile(wheel) as files:
        code = {name: files.read(name).decode() for name in files.namelist() if ".py" in name}
    assert [name for name, text in code.items() if named.search(text)] == []


def test_a_wheel_installs_names_of_its_own(wheel: Path) -> None:
    """Its packages begin with `halo_`; the licence is in it, checks of the repository are not."""
    with ZipFile(wheel) as files:
        names = files.namelist()
        metadata = files.read("halo_engine-0.1.0.dist-info/METADATA").decode()
    assert {name.partition("/")[0] for name in names} == {
        "halo_engine",
        "halo_workers",
        "halo_migrations",
        "halo_engine-0.1.0.dist-info",
    }
    assert "halo_migrations/check.py" not in names
    assert "halo_engine-0.1.0.dist-info/licenses/LICENSE" in names
    assert "License-Expression: Apache-2.0" in metadata.splitlines()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """The working directory of somebody who installed the wheel."""
    folder = tmp_path / f"shop-{os.getpid()}"
    folder.mkdir()
    yield folder
    # As root the stack keeps its data there.
    for kept in Path("/var/tmp").glob(f"halo-engine-{folder.name}-*"):
        shutil.rmtree(kept)


def test_the_wheel_runs_a_series(environment: Path, shop: Path) -> None:
    """`halo up` and a first series work, in a folder with modules named as ours are here."""
    for name in ("workers", "migrations"):
        (shop / name).mkdir()
        (shop / name / "__init__.py").write_text("raise ImportError('of the shop')")
    halo = environment / "halo"
    named = {**os.environ, "HALO_WEB_BIND": "127.0.0.1:0"}
    with subprocess.Popen(
        [halo, "up"], cwd=shop, env=named, stdout=subprocess.PIPE, text=True
    ) as up:
        try:
            [web] = [line for line in lines_until(up, "ready") if line.startswith("web")]
            with urllib.request.urlopen(f"{web.split()[1]}/sign-in", timeout=120) as page:
                assert "Sign in to Halo" in page.read().decode()
            _run(halo, "org", "create", "acme", cwd=shop)
            written = _run(halo, "series", "example", "user_created", cwd=shop)
            (shop / "welcome.yaml").write_text(written)
            _run(halo, "series", "apply", "welcome.yaml", cwd=shop)
            _run(halo, "series", "activate", "welcome", cwd=shop)
            _run(halo, "identify", "ann", "--trait", "email=ann@acme.example", cwd=shop)
            _wait_for_mail(shop / ".halo" / "mail")
        finally:
            up.terminate()
            up.communicate(timeout=120)
    assert up.returncode == 0


def _wait_for_mail(folder: Path) -> None:
    ends = monotonic() + 120
    while not list(folder.glob("*.eml")):
        assert monotonic() < ends, "no mail within two minutes"
        sleep(0.05)
