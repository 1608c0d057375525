"""What the HALO_ variables may hold, and how a wrong one is named."""

from collections.abc import Iterator

import pytest
import redis
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from halo_engine.server_urls import masked, one_line
from halo_engine.settings import ConfigurationError, Settings, load_settings
from workers.connections import broker

_GOOD_DATABASES = {
    "postgres://h/d": "postgresql+psycopg://h/d",
    "postgresql://u:p@h:5432/d": "postgresql+psycopg://u:p@h:5432/d",
    "postgresql+psycopg://u@/d?host=%2Frun": "postgresql+psycopg://u@/d?host=%2Frun",
}
_BAD_DATABASES = {
    "mysql://u:secret@h/d": "is not a PostgreSQL URL",
    "h:5432/d": "is not a PostgreSQL URL",
    "postgres://u:secret@h:port/d": "cannot be read",
    "postgres://u:secret@h": "names no database",
}
_GOOD_BROKERS = {
    "redis://h": "redis://h",
    "rediss://:p@h:6380/2": "rediss://:p@h:6380/2",
    "valkey://h/1": "redis://h/1",
    "valkeys://h/1": "rediss://h/1",
    "unix:///run/v.sock?db=3": "redis+socket:///run/v.sock?virtual_host=3",
    "unix:///run/v.sock": "redis+socket:///run/v.sock?virtual_host=0",
    "redis+socket:///run/v.sock": "redis+socket:///run/v.sock",
}
_ENCODE = "in a password write %40 for @, %2F for /, %3F for ?, %23 for #"
_BAD_BROKERS = {
    "amqp://u:secret@h": "is not a Redis or Valkey URL",
    "localhost": "is not a Redis or Valkey URL",
    "redis://:secret@h:port/0": "cannot be read",
    "redis://:secret@h/first": "cannot be read",
}


@pytest.mark.parametrize(("given", "read"), _GOOD_DATABASES.items())
def test_a_database_url_gets_the_drivers_scheme(
    monkeypatch: pytest.MonkeyPatch, given: str, read: str
) -> None:
    """Every usual spelling of a PostgreSQL URL is read."""
    monkeypatch.setenv("HALO_DATABASE_URL", given)
    assert load_settings().required_database_url() == read


@pytest.mark.parametrize(("given", "problem"), _BAD_DATABASES.items())
def test_a_wrong_database_url_is_one_line(
    monkeypatch: pytest.MonkeyPatch, given: str, problem: str
) -> None:
    """A wrong URL names its variable, what is wrong and an example, and never the password."""
    monkeypatch.setenv("HALO_DATABASE_URL", given)
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    example = "write postgresql://user:password@host:5432/database"
    assert str(raised.value) == f"HALO_DATABASE_URL: {problem}; {example}"


@pytest.mark.parametrize(("given", "read"), _GOOD_BROKERS.items())
def test_a_broker_url_gets_celerys_scheme(
    monkeypatch: pytest.MonkeyPatch, given: str, read: str
) -> None:
    """Redis and Valkey URLs, over TCP, TLS or a socket, become what Celery reads."""
    monkeypatch.setenv("HALO_BROKER_URL", given)
    assert load_settings().required_broker_url() == read


@pytest.mark.parametrize(("given", "problem"), _BAD_BROKERS.items())
def test_a_wrong_broker_url_is_one_line(
    monkeypatch: pytest.MonkeyPatch, given: str, problem: str
) -> None:
    """A wrong URL names its variable, what is wrong and an example, and never the password."""
    monkeypatch.setenv("HALO_BROKER_URL", given)
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    example = "write redis://:password@host:6379/0"
    if problem == "cannot be read":
        example += f" ({_ENCODE})"
    assert str(raised.value) == f"HALO_BROKER_URL: {problem}; {example}"


def test_a_url_that_is_missing_is_one_line() -> None:
    """A command that needs a server says in one line which variable to set."""
    said = r"^HALO_BROKER_URL is not set; write redis://.*, or run `halo up`$"
    with pytest.raises(ConfigurationError, match=said):
        load_settings().required_broker_url()


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wrong variables give one line that names both."""
    monkeypatch.setenv("HALO_TICK_SECONDS", "0")
    monkeypatch.setenv("HALO_WORKER_CONCURRENCY", "many")
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert str(raised.value) == (
        "HALO_TICK_SECONDS: is refused; allowed is 0.1 or more; "
        "HALO_WORKER_CONCURRENCY: is refused; allowed is a whole number"
    )


def test_the_limits_must_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that ends before the task that holds it is refused."""
    monkeypatch.setenv("HALO_LEASE_SECONDS", "100")
    with pytest.raises(ConfigurationError, match=r"does not hold: 60, 90, 120, 100$"):
        load_settings()


def test_a_task_may_take_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit at which a task would be ended within its turn is refused by name."""
    monkeypatch.setenv("HALO_STATEMENT_TIMEOUT_SECONDS", "5")
    monkeypatch.setenv("HALO_SOFT_LIMIT_SECONDS", "10.5")
    assert load_settings().soft_limit_seconds == 10.5
    monkeypatch.setenv("HALO_SOFT_LIMIT_SECONDS", "10")
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert str(raised.value) == (
        "HALO_SOFT_LIMIT_SECONDS: is no longer than a turn; allowed is more than 10"
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@ss:w/d@h:1/d", "postgresql://***"),
        ("postgresql://u:p/w@h:1/d", "postgresql://u:***@h:1/d"),
        ("redis://:secret@h/0", "redis://:***@h/0"),
        ("postgresql://u@h/d?password=secret&x=1", "postgresql://u@h/d?password=***&***"),
        ("postgresql://u@/d?host=%2Frun&port=1", "postgresql://u@/d?host=%2Frun&port=1"),
        ("redis+socket:///run/v.sock", "redis+socket:///run/v.sock"),
    ],
)
def test_a_shown_url_has_no_password(url: str, shown: str) -> None:
    """A password is masked wherever a URL may carry it."""
    assert masked(url) == shown


@pytest.mark.parametrize("sign", ["@", "/", "#", "?", "%", ":", "&", "=", " ", "+", "%40", "%zz"])
@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("HALO_DATABASE_URL", "postgresql://u:{}@127.0.0.1:1/d"),
        ("HALO_DATABASE_URL", "postgresql://u@127.0.0.1:1/d?password={}"),
        ("HALO_BROKER_URL", "redis://u:{}@127.0.0.1:1/0"),
        ("HALO_BROKER_URL", "redis://:{}@127.0.0.1/0"),
        ("HALO_SMTP_URL", "smtp://u:{}@127.0.0.1:1?tls=none"),
    ],
)
def test_no_part_of_a_password_is_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str, sign: str
) -> None:
    """Encoded or not, it is in no refusal, no URL shown, and no error of a server that is away."""
    given = url.format(sign.join(("12", "qz1", "qz2")))
    monkeypatch.setenv(variable, given)
    said = [masked(given)]
    try:
        settings = load_settings()
    except ConfigurationError as error:
        said.append(str(error))
    else:
        read = settings.database_url or settings.broker_url or settings.smtp_url or ""
        said += [masked(read), *_said_by_whoever_connects(settings)]
    assert [words for words in said if "qz" in words or "12" in words.replace("127.0", "")] == []


def _said_by_whoever_connects(settings: Settings) -> Iterator[str]:
    if settings.database_url:
        with pytest.raises(DBAPIError) as lost:
            create_engine(settings.database_url).connect()
        yield one_line(lost.value.orig or lost.value, settings.database_url)
    if settings.broker_url:
        with pytest.raises(redis.RedisError) as gone:
            broker(settings.broker_url).ping()
        yield one_line(gone.value, settings.broker_url)


def test_an_errors_line_has_no_password() -> None:
    """The first line of an error is kept, without the password of the URL."""
    error = ValueError("bad password 's@cret'\nHINT: no")
    assert one_line(error, "redis://:s%40cret@h") == "bad password '***'"
