"""`halo contacts show` and `unsuppress`, `halo identify` and `halo track` (contract §2)."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from halo_engine.answers.reports.profile import Membership, Profile, profile
from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.operations.failures import draw_failures
from halo_engine.cli.output import plain, print_facts, print_table, shown_at
from halo_engine.contacts.consent.unsuppress import UnsuppressCall, Unsuppressed, unsuppress
from halo_engine.contacts.events.track import TrackAnswer, TrackCall, track
from halo_engine.contacts.finding import find_contacts
from halo_engine.contacts.identifying.identify import IdentifyAnswer, IdentifyCall, identify
from halo_engine.domain.errors import bad_input, shown, validated
from halo_engine.rehearsal.tokens import signed
from halo_engine.work import Work

_TOKEN_LASTS: Final = timedelta(minutes=5)


@click.group()
def contacts() -> None:
    """Import, find, show and erase contacts."""


@contacts.command(name="show")
@click.argument("contact")
@in_organization
def show(context: CommandContext, contact: str) -> None:
    """Show everything about CONTACT, and the series it is in.

    CONTACT is a user ID, or an email if it has none.
    """

    def read(work: Work) -> Profile:
        [contact_id] = find_contacts(work, [contact])
        return profile(work, contact_id)

    context.show(context.ask(read), lambda answer: _draw(answer, context.zone))


def _draw(found: Profile, zone: ZoneInfo) -> None:
    last_contacted = shown_at(found.last_contacted_at, zone)
    print_facts(
        {
            "user ID": found.user_id,
            "email": f"{found.email} ({found.suppressed})" if found.suppressed else found.email,
            "id": found.id,
            "type": f"{found.contact_type}, from {found.source}",
            "company": found.company,
            "customer for": found.customer_for,
            "first seen": shown_at(found.first_seen, zone),
            "last seen": shown_at(found.last_seen, zone),
            "last contacted": last_contacted,
            "lists": ", ".join(
                [*found.lists, *(f"{key} (to be confirmed)" for key in found.pending_lists)]
            ),
        }
    )
    _draw_values("trait", found.traits)
    _draw_values("context", found.context)
    _draw_values("bounced", found.bounces, of="times")
    if found.events:
        click.echo()
        print_table(
            ("event", "times", "last"),
            [(each.event, each.count, shown_at(each.last_at, zone)) for each in found.events],
            numbers=["times"],
        )
    if found.series:
        click.echo()
        columns = ("series", "number", "enrolled", "stands")
        print_table(columns, [_membership(each, zone) for each in found.series])
    if found.failed_mails:
        click.echo("\nmails that it did not get:")
        draw_failures(found.failed_mails, zone, whose=False)


def _draw_values(name: str, values: Any, of: str = "value") -> None:
    if values:
        click.echo()
        print_table((name, of), list(values.items()))


def _membership(found: Membership, zone: ZoneInfo) -> tuple[object, ...]:
    if found.ended_at is None:
        stands = f"at step {found.step}, due {shown_at(found.scheduled_for, zone)}"
    else:
        stands = f"ended {shown_at(found.ended_at, zone)}: {found.exit_reason}"
    return found.series, found.number, shown_at(found.enrolled_at, zone), stands


@contacts.command(name="unsuppress")
@click.argument("contact")
@click.option("--because", required=True, metavar="TEXT", help="Why; kept in the audit log.")
@click.option("--by", help="Who lifts it; the user logged in if unset. Kept there too.")
@in_organization
def unsuppress_command(context: CommandContext, contact: str, because: str, by: str | None) -> None:
    """Lift whatever suppresses the address of CONTACT.

    Its bounce, complaint and unsubscription are lifted. CONTACT is a user ID, or an email: of a
    lead, or any address that is suppressed.
    """
    call = validated(UnsuppressCall, {"contact": contact, "because": because}, "unsuppress")
    lifted = context.change("contacts.unsuppress", call, lambda work: unsuppress(work, call), by)
    context.show(lifted, lambda answer: click.echo(f"{plain(contact)}: {_lifted(answer)}."))


def _lifted(answer: Unsuppressed) -> str:
    if not answer.lifted:
        return "nothing suppressed it"
    return "gets mail again; it was " + ", ".join(
        f"{cause.removesuffix('_at')} at {at}" for cause, at in answer.lifted.items()
    )


@click.command(name="identify")
@click.argument("user_id")
@click.option(
    "--trait",
    "traits",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value is JSON (12, true, null), or else text.",
)
@click.option("--session", "session_id", help="A session whose anonymous events are this user's.")
@in_organization
def identify_command(
    context: CommandContext, user_id: str, traits: Sequence[str], session_id: str | None
) -> None:
    """Identify a user, as an application does: series react.

    If identity verification is on, the command signs the call with the organisation's secret.
    """
    given = {
        "user_id": user_id,
        "traits": dict(_pair(each, "trait") for each in traits),
        "session_id": session_id,
    }

    call = validated(IdentifyCall, given, "identify")

    def identified(work: Work) -> IdentifyAnswer:
        secret = work.org.identity_secret
        token = signed({"user_id": user_id}, secret, work.now, _TOKEN_LASTS) if secret else None
        return identify(work, call.model_copy(update={"user_token": token}))

    context.show(context.change("identify", call, identified), _draw_identified)


def _draw_identified(answer: IdentifyAnswer) -> None:
    done = "was created" if answer.created else "is known"
    click.echo(f"{plain(answer.user_id)} {done}: {answer.id}")
    for warning in answer.warnings:
        click.echo(f"{click.style('warning', fg='yellow')}: {warning}")


@click.command(name="track")
@click.argument("user_id")
@click.argument("event")
@click.option(
    "--property",
    "properties",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value is JSON (12, true, null), or else text.",
)
@click.option("--timestamp", help="When it happened, in ISO 8601; now unless given.")
@in_organization
def track_command(
    context: CommandContext,
    user_id: str,
    event: str,
    properties: Sequence[str],
    timestamp: str | None,
) -> None:
    """Track EVENT of a user, as an application does: series react."""
    given = {
        "user_id": user_id,
        "event": event,
        "properties": dict(_pair(each, "property") for each in properties),
        "timestamp": timestamp,
    }
    call = validated(TrackCall, given, "track")
    tracked = context.change("track", call, lambda work: track(work, call))
    context.show(tracked, _draw_tracked)


def _draw_tracked(answer: TrackAnswer) -> None:
    click.echo(f"{plain(answer.event)} was tracked at {answer.timestamp}")
    for warning in answer.warnings:
        click.echo(f"{click.style('warning', fg='yellow')}: {warning}")


def _pair(text: str, field: str) -> tuple[str, object]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise bad_input(field, f"{shown(text)} is no pair; allowed is NAME=VALUE")
    return name, _value(value)


def _value(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> object:
    raise ValueError(name)
