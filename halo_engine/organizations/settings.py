"""The settings of an organisation: what may be given, and what is answered (contract §1, §2)."""

import re
import secrets
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationInfo,
    model_validator,
)

from halo_engine.contacts.calls import Call
from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.fields.addresses import is_address, mail_domain
from halo_engine.domain.times.cron import parse_cron
from halo_engine.domain.times.frequency import GivenCaps
from halo_engine.domain.times.instants import Instant, parse_zone
from halo_engine.domain.times.quiet_hours import Hours, QuietHours
from halo_engine.domain.times.retention import GivenKeeps
from halo_engine.domain.values import check_text

#: In bytes; with a shorter secret no token is accepted (RFC 7518: as many as the hash has).
SHORTEST_SECRET: Final = 32

#: Stripe compares and signs with all of it.
_ENDPOINT_SECRET: Final = re.compile(r"whsec_[!-~]+")

#: A secret is shown as this.
HIDDEN: Final = "***"
#: The fields that are secrets.
SECRETS: Final = (
    "identity_secret",
    "stripe_endpoint_secret",
    "old_stripe_endpoint_secret",
)


def _zone(value: object) -> str:
    return parse_zone(value).key


def _cron(value: object) -> str:
    return parse_cron(value)


def _text(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        check_text(value, str(info.field_name))
    return value


def _secret(value: object) -> object:
    if isinstance(value, str) and len(value.encode()) < SHORTEST_SECRET:
        problem = f"is too short; allowed are {SHORTEST_SECRET} bytes or more"
        raise bad_input("identity_secret", problem, "bad_secret")
    return value


def _endpoint_secret(value: object) -> object:
    if isinstance(value, str) and not _ENDPOINT_SECRET.fullmatch(value):
        problem = "is no endpoint secret of Stripe's; allowed is one such as whsec_…"
        raise bad_input("stripe_endpoint_secret", problem, "bad_secret")
    return value


def _address(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str) and not is_address(value):
        problem = f"{shown(value)} is no address; allowed is one such as hello@acme.com"
        raise bad_input(str(info.field_name), problem, "bad_email")
    return value


def _domain(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    if (found := mail_domain(value)) is None:
        problem = f"{shown(value)} is no domain; allowed is one such as bounces.acme.com"
        raise bad_input(str(info.field_name), problem, "bad_domain")
    return found


_Text = Annotated[str, Field(min_length=1, max_length=1000), BeforeValidator(_text)]


class OrganizationSettings(Call):
    """The settings of an organisation (contract §1, §2, §8); invalid ones raise a 400.

    ``identity_secret`` switches identity verification on; null switches it off.
    """

    name: _Text | None = Field(default=None, description="What it is called.")
    timezone: Annotated[str, BeforeValidator(_zone)] = Field(
        default="UTC", description="The zone of dates, cron expressions and windows without one."
    )
    identity_secret: Annotated[_Text | None, BeforeValidator(_secret)] = Field(
        default=None, description="Signs user tokens; when it is set, every identify needs a token."
    )
    mrr_mode: Literal["manual", "stripe"] = Field(
        default="manual", description="Where `mrr` and `arr` come from, if Stripe is connected."
    )
    stripe_connected: bool = Field(default=False, description="Whether Stripe is connected.")
    stripe_endpoint_secret: Annotated[_Text | None, BeforeValidator(_endpoint_secret)] = Field(
        default=None,
        description="Signs what Stripe sends to the hook; a new one leaves the one before in force "
        "until that is revoked.",
    )
    verified_domain: bool = Field(
        default=False, description="Whether its sending domain is verified; marketing needs it."
    )
    company_footer: _Text | None = Field(
        default=None, description="The footer of marketing emails, which need one."
    )
    mail_from_name: _Text | None = Field(
        default=None, description="The sender's name in its mail; null is the installation's."
    )
    mail_from_address: Annotated[str, BeforeValidator(_address)] | None = Field(
        default=None, description="The sender's address of its mail; null is the installation's."
    )
    mail_reply_to: Annotated[str, BeforeValidator(_address)] | None = Field(
        default=None, description="Where replies go; null is the sender's address."
    )
    mail_bounce_domain: Annotated[str, BeforeValidator(_domain)] | None = Field(
        default=None, description="The domain of envelope senders; null is the installation's."
    )
    quiet_hours: QuietHours | None = Field(
        default=None,
        description="When no marketing goes out, every day: `{from, to, timezone}`; null is never.",
    )
    frequency_caps: GivenCaps | None = Field(
        default=None,
        description="How much marketing a contact gets: `[{at_most, within}]`; null is any amount.",
    )
    reevaluate_cron: Annotated[str, BeforeValidator(_cron)] = Field(
        default="*/15 * * * *", description="When `segment_match` series are re-evaluated."
    )
    keeps: GivenKeeps = Field(
        default={},
        description="How long histories are kept, as `{events: 400d, audit: forever}`; those that "
        "are not named stay as they are.",
    )


class ChangeOrganizationCall(OrganizationSettings):
    """The settings that change; those not given stay. A secret of ``***`` stays too.

    ``old_stripe_endpoint_secret`` of null revokes Stripe's secret before the present one. What an
    answer shows beside the settings may be sent back as it was read.
    """

    old_stripe_endpoint_secret: None = None
    _beside: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _as_read(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, dict):
            return handler(data)
        if data.get("name", "") is None:
            raise bad_input("name", "null is refused; allowed is text")
        answered = {*OrganizationAnswer.model_fields, _OF_A_CHANGE} - cls.model_fields.keys()
        given = {
            name: value
            for name, value in data.items()
            if name not in answered and (name not in SECRETS or value != HIDDEN)
        }
        call = handler(given)
        call._beside.update({name: data[name] for name in answered & data.keys()})  # noqa: SLF001
        return call

    def check_beside(self, read: Callable[[], "OrganizationAnswer"]) -> None:
        """Refuse another value of what is no setting; a 400 that says what it is."""
        if not self._beside:
            return
        now = read().model_dump(mode="json", include=set(self._beside))
        for name, value in self._beside.items():
            if value != now.get(name, value):
                allowed = f"allowed is {now[name]!s}, as it is, or to leave it out"
                raise bad_input(
                    name, f"{shown(value)} would change it, which no call can; {allowed}"
                )


#: What only the answer to a change has (``doors.operators``).
_OF_A_CHANGE: Final = "breaks"


class OrganizationAnswer(OrganizationSettings):
    """An organisation as it is stored; applications name it by its ``widget_key``.

    ``old_widget_key`` is the one before, as long as it still works; so is
    ``old_stripe_endpoint_secret``.
    """

    id: UUID
    key: str
    widget_key: str
    old_widget_key: str | None
    old_stripe_endpoint_secret: str | None
    created_at: Instant
    reevaluated_at: Instant

    @property
    def hours(self) -> Hours:
        """Its zone, its quiet hours and its frequency caps."""
        return Hours(parse_zone(self.timezone), self.quiet_hours, self.frequency_caps or ())

    def masked(self) -> Self:
        """Return it without its secrets."""
        hidden = {name: HIDDEN for name in SECRETS if getattr(self, name) is not None}
        return self.model_copy(update=hidden)


def new_secret() -> str:
    """Return a new random secret for signing user tokens."""
    return secrets.token_urlsafe(SHORTEST_SECRET)
