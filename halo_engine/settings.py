"""The settings of an installation, read from environment variables that begin with `HALO_`."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from halo_engine.domain.wording import what_is_allowed
from halo_engine.mail.composing.links import NO_CONFIRM_URL, NO_UNSUBSCRIBE_URL, LinkBases
from halo_engine.server_urls import BROKER_EXAMPLE, DATABASE_EXAMPLE
from halo_engine.setting_types import (
    BaseUrl,
    BindAddress,
    BrokerUrl,
    CellName,
    CollectorUrl,
    DatabaseUrl,
    MailAddress,
    MailDomain,
    Networks,
    PublicUrl,
    SmtpUrl,
    WebhookSecrets,
)
from halo_engine.webhook_secrets import webhook_secrets
from halo_engine.work import Reach

#: A task that runs longer than this hands the rest to a new one, so that organisations take turns.
TURN_SECONDS: Final = 10.0


class ConfigurationError(Exception):
    """A setting is missing or wrong; the message is one line that names the variable."""


def _longer_than_a_turn(seconds: float) -> float:
    """Refuse a time limit at which a task would be stopped before its turn ends."""
    if seconds <= TURN_SECONDS:
        raise ValueError(f"is no longer than a turn; allowed is more than {TURN_SECONDS:g}")
    return seconds


class Settings(BaseSettings):
    """One installation's settings; each field is the variable `HALO_` and its name in capitals.

    Seconds are wall-clock seconds. The four limits (statement to lease) must grow in this order: so
    a statement ends before its task is asked to end, the task ends before it is killed, and all of
    that happens before another worker may claim the same rows.
    """

    model_config = SettingsConfigDict(
        env_prefix="HALO_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    org: str | None = Field(
        default=None, description="The organisation of commands without `--org`."
    )
    database_url: DatabaseUrl | None = Field(
        default=None, description="PostgreSQL 15 or later; `halo up` brings its own if unset."
    )
    directory_url: DatabaseUrl | None = Field(
        default=None,
        description="The directory of an installation with several databases, its cells; there is "
        "one database alone if unset.",
    )
    cell: CellName | None = Field(
        default=None,
        description="The cell that a worker or beat works for, whose database is "
        "`HALO_DATABASE_URL`; goes with `HALO_DIRECTORY_URL`.",
    )
    broker_url: BrokerUrl | None = Field(
        default=None,
        description="Redis 6.2 or later, or Valkey; `halo up` brings its own if unset.",
    )
    smtp_url: SmtpUrl | None = Field(
        default=None, description="The mail server; if unset, mail goes into `HALO_MAIL_FOLDER`."
    )
    mail_folder: Path = Field(
        default=Path(".halo/mail"), description="Where `.eml` files go if no mail server is set."
    )
    sent_log: Path | None = Field(
        default=None,
        description="A file that gets a line for each mail before it is handed over; a restored "
        "database learns from it what was sent since (`halo restore check`). None if unset.",
    )
    mail_per_second: float | None = Field(
        default=None,
        ge=0.1,
        le=10_000,
        description="The most messages a second from each worker process; unlimited if unset.",
    )
    mail_from_name: str = Field(
        default="Halo",
        min_length=1,
        description="The sender's name, where an organisation has none of its own.",
    )
    mail_from_address: MailAddress = Field(
        default="series@halo.example",
        description="The sender's address, in `From` and in the envelope, where an organisation "
        "has none of its own.",
    )
    bounce_domain: MailDomain | None = Field(
        default=None,
        description="A domain whose mail comes back to `halo mail receive`: each mail then has an "
        "envelope sender of its own in it.",
    )
    unsubscribe_url: BaseUrl | None = Field(
        default=None,
        description="What unsubscribe links begin with, if your application answers them and not "
        "`HALO_PUBLIC_URL`.",
    )
    tracking_url: BaseUrl | None = Field(
        default=None,
        description="What tracked links and pictures begin with, if it is not `HALO_PUBLIC_URL`; "
        "without either, opens and clicks are not tracked.",
    )
    tick_seconds: float = Field(
        default=60.0, ge=0.1, le=3600, description="How often beat sends a tick."
    )
    statement_timeout_seconds: float = Field(
        default=60.0, gt=0, description="The longest that a statement may take."
    )
    soft_limit_seconds: Annotated[float, AfterValidator(_longer_than_a_turn)] = Field(
        default=90.0, description="After this long a task is asked to end."
    )
    hard_limit_seconds: float = Field(
        default=120.0, gt=0, description="After this long a task's process is killed."
    )
    lease_seconds: float = Field(
        default=180.0,
        gt=0,
        description="After this long another worker may take over the email of a dead one.",
    )
    soft_shutdown_seconds: float = Field(
        default=8.0,
        ge=0,
        description="How long a stopping worker waits for its tasks; what remains goes back.",
    )
    worker_concurrency: int = Field(
        default=2, ge=1, le=256, description="How many processes a worker has."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="Text for people, or one JSON object a line."
    )
    ready_file: Path | None = Field(
        default=None, description="A file that exists while the process takes work."
    )
    web_bind: BindAddress = Field(
        default="127.0.0.1:8080",
        description="Where `halo web` listens, as HOST:PORT; port 0 is a free one.",
    )
    web_processes: int = Field(
        default=1, ge=1, le=64, description="How many processes share that port."
    )
    web_queue: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="How many calls may wait in a web process; more are refused with 503.",
    )
    web_rate: float | None = Field(
        default=None,
        ge=0.1,
        le=1_000_000,
        description="The most requests a second of one key; more are refused with 429. Links in "
        "mails are not counted. No limit if unset.",
    )
    trusted_proxies: Networks = Field(
        default="",
        description="The networks of proxies whose `Forwarded` headers are believed, with commas "
        "between them.",
    )
    public_url: PublicUrl | None = Field(
        default=None,
        description="What `halo web` is called from outside; links in mails begin with it. Away "
        "from this machine, `/metrics` then asks for its token.",
    )

    webhook_allow_private: bool = Field(
        default=False,
        description="Whether webhooks may go to private addresses, and over plain http: for tests "
        "on one machine, never where others name the URLs.",
    )
    access_log: bool = Field(
        default=True, description="Whether `halo web` writes a line for each request."
    )
    metrics_token: str | None = Field(
        default=None,
        min_length=16,
        description="What Prometheus sends as `Bearer` to read `/metrics`, where `halo web` is not "
        "for its own machine alone; without it there is nothing at that path.",
    )

    mail_hook_secret: WebhookSecrets | None = Field(
        default=None,
        description="Signs the mail that a gateway posts to `/api/hooks/mail` (`whsec_…`, as "
        "Standard Webhooks writes secrets); two with a comma between them while one replaces the "
        "other. Without one there is nothing at that path.",
    )
    otlp_endpoint: CollectorUrl | None = Field(
        default=None,
        description="Where traces go: an OpenTelemetry collector that takes OTLP over HTTP, as "
        "`http://127.0.0.1:4318`. Nothing is traced if unset. It needs "
        "`pip install 'halo-engine[otel]'`.",
    )

    @property
    def link_bases(self) -> LinkBases:
        """What the links in mails begin with: URLs of their own, else ``public_url`` (§16)."""
        public = self.public_url
        unsubscribe = self.unsubscribe_url or (f"{public}/u" if public else NO_UNSUBSCRIBE_URL)
        confirm = f"{public}/s" if public else NO_CONFIRM_URL
        return LinkBases(unsubscribe, self.tracking_url or public, confirm)

    @property
    def reach(self) -> Reach:
        """Which links in mails lead to a page; mail in a folder reaches nobody (§8, §16)."""
        is_shown = self.smtp_url is None or self.public_url is not None
        return Reach(unsubscribe=is_shown or self.unsubscribe_url is not None, confirm=is_shown)

    @model_validator(mode="after")
    def _limits_grow(self) -> Self:
        limits = (
            self.statement_timeout_seconds,
            self.soft_limit_seconds,
            self.hard_limit_seconds,
            self.lease_seconds,
        )
        if any(low >= high for low, high in pairwise(limits)):
            raise ValueError(
                "HALO_STATEMENT_TIMEOUT_SECONDS < HALO_SOFT_LIMIT_SECONDS < "
                "HALO_HARD_LIMIT_SECONDS < HALO_LEASE_SECONDS does not hold: "
                + ", ".join(f"{limit:g}" for limit in limits)
            )
        return self

    @model_validator(mode="after")
    def _cell_is_of_a_directory(self) -> Self:
        if self.cell is not None and self.directory_url is None:
            raise ValueError("HALO_CELL goes with HALO_DIRECTORY_URL, which is not set")
        return self

    @property
    def mail_hook_secrets(self) -> tuple[bytes, ...]:
        """The keys that mail gateways sign with; none if there are none."""
        return webhook_secrets(self.mail_hook_secret) if self.mail_hook_secret else ()

    def of_cell(self, name: str, database_url: str) -> Self:
        """Return the settings of a process that works for the cell of that name alone."""
        return self.model_copy(update={"cell": name, "database_url": database_url})

    def required_database_url(self) -> str:
        """The database's URL; raises ConfigurationError when it is not set."""
        return _required(self.database_url, "HALO_DATABASE_URL", DATABASE_EXAMPLE)

    def required_directory_url(self) -> str:
        """The directory's URL; raises ConfigurationError when it is not set."""
        if self.directory_url is None:
            problem = "HALO_DIRECTORY_URL is not set; write the URL of the directory's database"
            raise ConfigurationError(f"{problem}: {DATABASE_EXAMPLE}")
        return self.directory_url

    def required_broker_url(self) -> str:
        """The broker's URL; raises ConfigurationError when it is not set."""
        return _required(self.broker_url, "HALO_BROKER_URL", BROKER_EXAMPLE)


def load_settings() -> Settings:
    """Read the settings from the environment; raises ConfigurationError naming what is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [_problem(found) for found in error.errors(include_url=False)]
        raise ConfigurationError("; ".join(problems)) from None


def _required(value: str | None, variable: str, example: str) -> str:
    if value is None:
        raise ConfigurationError(f"{variable} is not set; write {example}, or run `halo up`")
    return value


def _problem(found: ErrorDetails) -> str:
    where, context = found["loc"], found.get("ctx", {})
    if found["type"] == "value_error":
        message = str(context["error"])
    else:
        # The value is not repeated: it may be a secret.
        message = f"is refused{what_is_allowed(found['type'], context)}"
    return f"HALO_{str(where[0]).upper()}: {message}" if where else message
