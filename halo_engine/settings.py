"""What an installation can set, read from environment variables that begin with `HALO_`."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from halo_engine.delivery.links import NO_UNSUBSCRIBE_URL, base_url
from halo_engine.delivery.smtp_url import parse_smtp_url
from halo_engine.domain.wording import what_is_allowed
from halo_engine.server_urls import (
    BROKER_EXAMPLE,
    DATABASE_EXAMPLE,
    read_broker_url,
    read_database_url,
)

#: A task that runs longer than this hands the rest to a new one, so that organisations take turns.
TURN_SECONDS: Final = 10.0


class ConfigurationError(Exception):
    """A setting is missing or wrong; the message is one line that names the variable."""


def _mail_address(address: str) -> str:
    try:
        validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        raise ValueError("is no email address; write series@acme.example") from None
    return address


def _mail_domain(domain: str) -> str:
    try:
        return validate_email(f"bounce@{domain}", check_deliverability=False).ascii_domain
    except EmailNotValidError:
        raise ValueError("is no domain that mail can come to; write bounces.acme.example") from None


def _smtp_url(url: str) -> str:
    parse_smtp_url(url)
    return url


def _longer_than_a_turn(seconds: float) -> float:
    """Refuse a time limit that would end a task before it hands on the rest."""
    if seconds <= TURN_SECONDS:
        raise ValueError(f"is no longer than a turn; allowed is more than {TURN_SECONDS:g}")
    return seconds


class Settings(BaseSettings):
    """One installation's settings; each field is the variable `HALO_` and its name in capitals.

    Seconds are wall-clock seconds. The four limits (statement to lease) must grow in the order
    given, so that a statement ends before its task is asked to, the task before it is killed, and
    all of it before another worker may claim the same rows.
    """

    model_config = SettingsConfigDict(
        env_prefix="HALO_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    org: str | None = None
    database_url: Annotated[str, AfterValidator(read_database_url)] | None = None
    broker_url: Annotated[str, AfterValidator(read_broker_url)] | None = None
    smtp_url: Annotated[str, AfterValidator(_smtp_url)] | None = None
    mail_folder: Path = Path(".halo/mail")
    mail_per_second: float | None = Field(default=None, ge=0.1, le=10_000)
    mail_from_name: str = Field(default="Halo", min_length=1)
    mail_from_address: Annotated[str, AfterValidator(_mail_address)] = "series@halo.example"
    bounce_domain: Annotated[str, AfterValidator(_mail_domain)] | None = None
    unsubscribe_url: Annotated[str, AfterValidator(base_url)] = NO_UNSUBSCRIBE_URL
    tracking_url: Annotated[str, AfterValidator(base_url)] | None = None
    tick_seconds: float = Field(default=60.0, ge=0.1, le=3600)
    statement_timeout_seconds: float = Field(default=60.0, gt=0)
    soft_limit_seconds: Annotated[float, AfterValidator(_longer_than_a_turn)] = 90.0
    hard_limit_seconds: float = Field(default=120.0, gt=0)
    lease_seconds: float = Field(default=180.0, gt=0)
    soft_shutdown_seconds: float = Field(default=8.0, ge=0)
    worker_concurrency: int = Field(default=2, ge=1, le=256)
    log_format: Literal["console", "json"] = "console"
    ready_file: Path | None = None

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

    def required_database_url(self) -> str:
        """The database's URL; raises ConfigurationError when it is not set."""
        return _required(self.database_url, "HALO_DATABASE_URL", DATABASE_EXAMPLE)

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
