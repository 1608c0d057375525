"""Runs `halo` in this process on real servers, with a worker that works when told."""

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar

from click.testing import CliRunner
from sqlalchemy import Engine

from halo_engine.cli.installation import Installation
from halo_engine.engine import Engine as HaloEngine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.work import OrgRef, Work
from workers.command.main import main

_Result = TypeVar("_Result")


class Console:
    """`halo` as typed, with the test's servers in its environment."""

    def __init__(self, database: Engine, broker_url: str, folder: Path, **environment: str) -> None:
        self.database = database
        self.folder = folder
        self._environment = {
            "HALO_DATABASE_URL": database.url.render_as_string(hide_password=False),
            "HALO_BROKER_URL": broker_url,
            **environment,
        }

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which commands run, beside that of the tests."""
        return self._environment

    @property
    def org(self) -> str:
        """The key of the organisation that it works in."""
        return self._environment.get("HALO_ORG", "acme")

    def __call__(
        self,
        *arguments: str,
        status: int = 0,
        installation: Installation | None = None,
        stdin: str | None = None,
        **environment: str,
    ) -> str:
        """Run the command and return all that it printed; it must end with ``status``."""
        result = CliRunner().invoke(
            main,
            arguments,
            obj=installation,
            input=stdin,
            env={**self._environment, **environment},
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result.output

    def json(self, *arguments: str, status: int = 0) -> Any:
        """Run the command with `--json` and return what it printed."""
        return json.loads(self(*arguments, "--json", status=status))

    def file(self, name: str, text: str) -> str:
        """Write a file and return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return str(path)

    def work(self) -> None:
        """Do what a worker would do now."""
        for _ in self._engine.tick(self.perform(lambda work: work.org_id)):
            pass

    def perform(self, action: Callable[[Work], _Result]) -> _Result:
        """Run something in a transaction of its own."""
        return self._engine.perform(OrgRef(key=self.org), action)

    @property
    def _engine(self) -> HaloEngine:
        post = PostOffice(MemoryTransport(), Sender("Test", "test@halo.example"))
        return HaloEngine(self.database, post)
