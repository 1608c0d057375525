"""The settings of an organisation as options of `halo org create` and `halo org change`."""

from collections.abc import Callable
from typing import Any, Final

import click

from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.times.retention import read_keeps
from halo_engine.domain.times.written_limits import read_caps, read_quiet_hours
from halo_engine.organizations.settings import OrganizationSettings, new_secret

#: An option for each setting, in the order of the help.
_OPTIONS: Final = (
    click.option("--name", help="Its name; the key if unset."),
    click.option("--timezone", metavar="ZONE", help="IANA name; UTC if unset."),
    click.option("--mrr-mode", type=click.Choice(["manual", "stripe"])),
    click.option("--stripe-connected/--no-stripe-connected", default=None),
    click.option("--verified-domain/--no-verified-domain", default=None),
    click.option("--footer", "company_footer", help="The footer of marketing emails."),
    click.option("--from-name", "mail_from_name", help="The sender's name in its mail."),
    click.option("--from-address", "mail_from_address", help="The sender's address."),
    click.option("--reply-to", "mail_reply_to", help="Where replies to its mail go."),
    click.option("--bounce-domain", "mail_bounce_domain", help="The domain of envelope senders."),
    click.option("--cron", "reevaluate_cron", help="When segments are re-evaluated; */15 * * * *."),
    click.option(
        "--quiet-hours",
        metavar="HOURS",
        help="When no marketing goes out: 21:00-08:00, with a zone or ‘contact’ behind it; "
        "off for never.",
    ),
    click.option(
        "--caps",
        "frequency_caps",
        help="How much marketing a contact gets: 2/24h 5/7d; off for any amount.",
    ),
    click.option(
        "--keep",
        "keeps",
        metavar="HISTORIES",
        help="How long histories are kept: events=400d audit=forever; the others stay.",
    ),
    click.option("--identity-secret", help="Switches identity verification on."),
    click.option(
        "--identity-verification/--no-identity-verification",
        default=None,
        help="On with a new secret, or off.",
    ),
)


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each setting; options not given are no arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_settings(given: dict[str, Any]) -> OrganizationSettings:
    """Return the settings that the options say; a refusal names the option."""
    settings = {name: value for name, value in given.items() if value is not None}
    verifies = settings.pop("identity_verification", None)
    if verifies is not None and "identity_secret" not in settings:
        settings["identity_secret"] = new_secret() if verifies else None
    try:
        if "quiet_hours" in settings:
            settings["quiet_hours"] = read_quiet_hours(
                settings["quiet_hours"], "org: --quiet-hours"
            )
        if "frequency_caps" in settings:
            settings["frequency_caps"] = read_caps(settings["frequency_caps"], "org: --caps")
        if "keeps" in settings:
            settings["keeps"] = read_keeps(settings["keeps"], "org: --keep")
        return validated(OrganizationSettings, settings, "org")
    except Refusal as refusal:
        raise _as_typed(refusal) from None


def _as_typed(refusal: Refusal) -> Refusal:
    """Name the option instead of the setting, if their names differ."""
    for option in click.get_current_context().command.params:
        setting, typed = f"org: {option.name}: ", option.opts[0]
        differs = typed.removeprefix("--").replace("-", "_") != option.name
        if differs and refusal.message.startswith(setting):
            said = refusal.message.removeprefix(setting)
            return Refusal(refusal.status, refusal.code, f"org: {typed}: {said}")
    return refusal
