"""While servers go away or refuse us, worker, beat and commands write no secret."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import quote

import jwt
import pytest
import redis
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from halo_engine.settings import Settings
from tests.mail.mail_server import MailServer, mail_server
from tests.platform.commands import run_halo
from tests.platform.ports import free_port
from workers.command.main import main
from workers.configuration import create_app
from workers.stack.folders import throwaway_folder
from workers.stack.postgres import start_postgres
from workers.stack.processes import running_processes, stack_environment
from workers.stack.servers import Servers
from workers.stack.valkey import start_valkey

#: Stands in every secret, trait, body and token.
MARK = "s3cr3t"
#: With signs that mean something in a URL.
DATABASE, BROKER, MAIL = (f"{MARK}@/#%{each}" for each in ("database", "broker", "mail"))
IDENTITY = f"{MARK} that is long enough for a signature"
WELCOME = f"""\
series:
  welcome:
    entry_trigger: user_created
    steps: [{{key: hello, email: {{subject: {MARK}, body: {MARK}}}}}]
"""
_PATIENCE_SECONDS = 120.0


def _quoted(secret: str) -> str:
    return quote(secret, safe="")


class Ground:
    """Servers of the test's own, each with a password, that go away and come back."""

    def __init__(self, folder: Path, mail: MailServer) -> None:
        self.folder = folder
        self.mail = mail
        self._port = free_port()
        mail.login = ("halo", MAIL)
        self.smtp_url = mail.url.replace("://", f"://halo:{_quoted(MAIL)}@") + "&tls=none"
        self.broker_url = f"redis://:{_quoted(BROKER)}@127.0.0.1:{self._port}/0"
        self._database, url = start_postgres(folder, durable=False)
        self.database_url = url.replace("@", f":{_quoted(DATABASE)}@", 1)
        self._broker, self._socket = start_valkey(folder)
        self._set_password(None, BROKER)

    def _set_password(self, before: str | None, after: str) -> None:
        path = self._socket.partition("://")[2].partition("?")[0]
        with redis.Redis(unix_socket_path=path, password=before) as client:
            client.config_set("port", self._port)
            client.config_set("requirepass", after)
            client.client_kill_filter(_type="normal", skipme=True)

    def lock_out(self) -> None:
        """Have the broker end all sessions and take another password."""
        self._set_password(BROKER, "another")

    def restart_broker(self) -> None:
        """Kill the broker, and start it again with the password of before."""
        self._broker.process.send_signal(signal.SIGKILL)
        self._broker.stop()
        self._broker, _ = start_valkey(self.folder)
        self._set_password(None, BROKER)

    def stop_database(self) -> None:
        """End the database's server and all sessions."""
        self._database.stop()

    def start_database(self) -> None:
        """Start it again, on its data."""
        self._database, _ = start_postgres(self.folder, durable=False)

    def stop(self) -> None:
        """End both servers."""
        self._broker.stop()
        self._database.stop()


@pytest.fixture
def ground() -> Iterator[Ground]:
    """Servers with passwords."""
    with throwaway_folder("secrets") as folder, mail_server() as mail:
        ground = Ground(folder, mail)
        yield ground
        ground.stop()


class Trial:
    """An organisation, its calls, and all that was written about them."""

    def __init__(self, ground: Ground, logs: Path) -> None:
        self.ground = ground
        self.logs = logs
        self.printed: list[str] = []
        self._named = {
            "HALO_DATABASE_URL": ground.database_url,
            "HALO_BROKER_URL": ground.broker_url,
            "HALO_SMTP_URL": ground.smtp_url,
        }
        self._app = create_app(Settings(broker_url=ground.broker_url))

    def halo(self, *arguments: str) -> None:
        """Run a command, whatever comes of it."""
        self.printed.append(run_halo(*arguments, **self._named)[1])

    def prepare(self, *arguments: str) -> None:
        """Run a command in this process, while all servers answer; it must succeed."""
        result = CliRunner(env=self._named).invoke(main, arguments)
        assert result.exit_code == 0, result.output

    @property
    def written(self) -> str:
        """What the processes have logged so far."""
        return "".join(path.read_text() for path in sorted(self.logs.glob("*/*.log")))

    def identify(self, name: str) -> None:
        """Send a signed call, which becomes a contact and a mail."""
        token = jwt.encode({"user_id": name}, IDENTITY, algorithm="HS256")
        traits = {"email": f"{name}-{MARK}@a.example", "plan": MARK}
        call = {"widget_key": "acme", "user_id": name, "user_token": token, "traits": traits}
        self._app.send_task("halo.identify", kwargs=call)

    def wait_for_logs(self, words: str) -> None:
        """Wait until each format says so."""
        folders = list(self.logs.iterdir())
        self._wait(
            lambda: all(
                words in "".join(path.read_text() for path in folder.iterdir())
                for folder in folders
            ),
            words,
        )

    def wait_for_mail(self, number: int) -> None:
        """Wait until so many mails arrived."""
        self._wait(lambda: len(self.ground.mail.accepted) == number, f"{number} mails")

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        ends = monotonic() + _PATIENCE_SECONDS
        while not holds():
            assert monotonic() < ends, f"not within {_PATIENCE_SECONDS:.0f} s: {what}"
            sleep(0.05)


def test_no_secret_is_written_while_servers_go(ground: Ground, tmp_path: Path) -> None:
    """Passwords, tokens, the identity secret, traits and bodies stay out of logs and messages.

    One worker and one beat write text, another pair JSON.
    """
    logs = tmp_path / "logs"
    logs.mkdir()
    trial = Trial(ground, logs)
    _set_up(trial, tmp_path / "welcome.yaml")
    with ExitStack() as stack:
        for log_format in ("console", "json"):
            stack.enter_context(_processes(trial, log_format))
        trial.identify("ann")
        trial.wait_for_mail(1)
        _refuse_mail(trial)
        _lose_database(trial)
        _lose_broker(trial)
        trial.identify("bob")
        trial.wait_for_mail(3)
    everything = [*trial.written.splitlines(), *"".join(trial.printed).splitlines()]
    assert [line for line in everything if MARK in line] == []


@contextmanager
def _processes(trial: Trial, log_format: str) -> Iterator[None]:
    """Run a worker and a beat that write in one format all that they have to say."""
    ground = trial.ground
    servers = Servers(ground.database_url, ground.broker_url)
    settings = {"smtp_url": ground.smtp_url, "log_format": log_format, "tick_seconds": 1}
    folder = trial.logs / log_format
    folder.mkdir()
    with (
        throwaway_folder("secrets") as place,
        running_processes(
            place, stack_environment(servers, **settings), logs=folder, level="DEBUG"
        ),
    ):
        yield


def _set_up(trial: Trial, file: Path) -> None:
    file.write_text(WELCOME)
    trial.prepare("migrate")
    trial.prepare("org", "create", "acme", "--identity-secret", IDENTITY)
    trial.prepare("series", "apply", str(file))
    trial.prepare("series", "activate", "welcome")
    engine = create_engine(trial.ground.database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE organizations SET widget_key = 'acme'"))
    engine.dispose()


def _refuse_mail(trial: Trial) -> None:
    """The mail server knows our password no more, for a while."""
    mail = trial.ground.mail
    mail.login = ("halo", "another")
    mail.drop_connections()
    trial.halo("doctor")
    mail.login = ("halo", MAIL)


def _lose_database(trial: Trial) -> None:
    trial.ground.stop_database()
    trial.identify("cleo")
    trial.wait_for_logs("waits")
    trial.halo("status")
    trial.ground.start_database()
    trial.wait_for_mail(2)


def _lose_broker(trial: Trial) -> None:
    """The broker takes another password, and is killed then."""
    trial.ground.lock_out()
    trial.wait_for_logs("AuthenticationError")
    trial.halo("doctor")
    trial.ground.restart_broker()
