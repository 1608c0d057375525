"""The pages of an organisation's settings: itself, its mail, its keys, its audit log (§17)."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from halo_engine.domain.errors import Refusal
from halo_engine.domain.roles import Role
from halo_engine.domain.times.retention import by_default, read_keeps, write_keeps, written_span
from halo_engine.domain.times.written_limits import (
    read_caps,
    read_quiet_hours,
    write_caps,
    write_quiet_hours,
)
from halo_engine.doors.operators import ChangedOrganization
from halo_engine.mail.sending.stops import Sending
from halo_engine.organizations.settings import OrganizationAnswer, new_secret

from ..forms import NO_FAULTS, Faults, Form
from ..page import Page, PageAnswer, SeeOther, View, Visit

#: What the form of the organisation has, by what each is called there.
_LABELS: Final[Mapping[str, str]] = {
    "name": "Name",
    "timezone": "Time zone",
    "company_footer": "Company footer",
    "quiet_hours": "Quiet hours",
    "frequency_caps": "Frequency caps",
    "keeps": "Histories are kept",
    "mail_from_name": "Sender's name",
    "mail_from_address": "Sender's address",
    "mail_reply_to": "Replies go to",
}
_HINTS: Final[Mapping[str, str]] = {
    "timezone": "Such as Europe/Berlin; dates and send windows are meant in it",
    "company_footer": "Stands under marketing emails, which need one",
    "quiet_hours": "No marketing then, such as 21:00-08:00 contact: on each contact's clock",
    "frequency_caps": "Marketing to one contact, such as 2/24h 5/7d: two a day and five a week",
    "keeps": "Such as events=400d mails=forever; blank: as long as by default",
    "mail_from_name": "Blank: that of the installation",
    "mail_from_address": "Blank: that of the installation",
    "mail_reply_to": "Blank: the sender's address",
}
_KEY_LABELS: Final[Mapping[str, str]] = {"name": "Name", "role": "Role", "expires": "Ends after"}
_ROLES: Final = (
    (Role.VIEWER, "Viewer: reads"),
    (Role.EDITOR, "Editor: saves and activates series too"),
    (Role.ADMIN, "Admin: may everything"),
    (Role.INGEST, "Ingest: an application's backend, no person"),
)
_REFUSED: Final = 400
#: A row of the audit log, in a query.
_ROW: Final = re.compile(r"[0-9]{1,18}")
_MAIL: Final = "/settings/mail"
_KEYS: Final = "/settings/keys"


def _show(visit: Visit) -> PageAnswer:
    return _organization(visit)


def _organization(
    visit: Visit,
    form: Form | None = None,
    faults: Faults = NO_FAULTS,
    secret: str | None = None,
    breaks: Sequence[str] = (),
) -> View:
    org: OrganizationAnswer = visit.call("organizations.show")
    stored = {name: getattr(org, name) for name in _LABELS}
    stored["frequency_caps"] = write_caps(org.frequency_caps) or None
    stored["quiet_hours"] = write_quiet_hours(org.quiet_hours) or None
    stored["keeps"] = write_keeps(org.keeps) or None
    values = {
        "org": org,
        "given": stored if form is None else {name: form.get(name) for name in _LABELS},
        "hints": _HINTS,
        "labels": _LABELS,
        "faults": faults,
        "secret": secret,
        "saved": "saved" in visit.query or bool(breaks),
        "breaks": breaks,
    }
    return View("settings.html", values, _REFUSED if faults else 200)


def _change(visit: Visit) -> PageAnswer:
    """Save what the form says; what is left blank is not set."""
    try:
        given: dict[str, object] = {name: visit.form.get(name).strip() or None for name in _LABELS}
        given["frequency_caps"] = read_caps(visit.form.get("frequency_caps"))
        given["quiet_hours"] = read_quiet_hours(visit.form.get("quiet_hours"))
        given["keeps"] = _keeps_that_change(visit)
        changed: ChangedOrganization = visit.call("organizations.change", **given)
    except Refusal as refusal:
        return _organization(visit, visit.form, Faults.of(refusal, _LABELS))
    if changed.breaks:
        return _organization(visit, breaks=changed.breaks)
    return SeeOther("/settings?saved")


def _keeps_that_change(visit: Visit) -> dict[str, str]:
    """Return how long histories are kept from now on; what the line does not name is by default."""
    said = {**by_default(), **read_keeps(visit.form.get("keeps"))}
    org: OrganizationAnswer = visit.call("organizations.show")
    kept = {key.value: written_span(span) for key, span in org.keeps.items()}
    return {key: span for key, span in said.items() if span != kept.get(key)}


def _verify(visit: Visit) -> PageAnswer:
    """Switch identity verification on with a new secret, which is shown this once, or off."""
    if visit.form.get("verify") == "off":
        visit.call("organizations.change", identity_secret=None)
        return SeeOther("/settings?saved")
    secret = new_secret()
    visit.call("organizations.change", identity_secret=secret)
    return _organization(visit, secret=secret)


def _mail(visit: Visit) -> PageAnswer:
    sending: Sending = visit.call("sending.show")
    mine = [stop for stop in sending.stops if stop.org is not None]
    everywhere = [stop for stop in sending.stops if stop.org is None]
    values = {"mine": mine, "everywhere": everywhere, "outage": sending.outage}
    return View("settings_mail.html", values)


def _hold(visit: Visit) -> PageAnswer:
    visit.call("sending.stop")
    return SeeOther(_MAIL)


def _let_go(visit: Visit) -> PageAnswer:
    visit.call("sending.start")
    return SeeOther(_MAIL)


def _keys(visit: Visit) -> PageAnswer:
    return _show_keys(visit)


def _show_keys(
    visit: Visit, created: object = None, form: Form | None = None, faults: Faults = NO_FAULTS
) -> View:
    after = visit.query.get("after") or None
    page = visit.call("keys.list", after=after)
    values = {
        "keys": page.items,
        "mine": visit.session.holder.key_id,
        "created": created,
        "form": form or Form((("role", Role.EDITOR), ("expires", "90d"))),
        "faults": faults,
        "roles": _ROLES,
        "labels": _KEY_LABELS,
        "next_path": page.next and f"{_KEYS}?{urlencode({'after': page.next})}",
        "first_path": after and _KEYS,
    }
    return View("settings_keys.html", values, _REFUSED if faults else 200)


def _create_key(visit: Visit) -> PageAnswer:
    """Make a key and show it, this once."""
    try:
        created = visit.call("keys.create", **visit.form.given(_KEY_LABELS))
    except Refusal as refusal:
        return _show_keys(visit, form=visit.form, faults=Faults.of(refusal, _KEY_LABELS))
    return _show_keys(visit, created)


def _revoke_key(visit: Visit) -> PageAnswer:
    visit.call("keys.revoke", key=visit.path("key"))
    return SeeOther(_KEYS)


def _audit(visit: Visit) -> PageAnswer:
    after = visit.query.get("after")
    number = int(after) if _ROW.fullmatch(after) else None
    page = visit.call("audit.list", after=number)
    next_path = page.next and f"/settings/audit?{urlencode({'after': page.next})}"
    values = {
        "changes": page.items,
        "next_path": next_path,
        "complete_since": page.complete_since,
    }
    return View("settings_audit.html", {**values, "first_path": number and "/settings/audit"})


PAGES: Final = (
    Page("GET", "/settings", _show),
    Page("POST", "/settings", _change, Role.ADMIN),
    Page("POST", "/settings/identity", _verify, Role.ADMIN),
    Page("GET", _MAIL, _mail),
    Page("POST", "/settings/mail/hold", _hold, Role.EDITOR),
    Page("POST", "/settings/mail/let-go", _let_go, Role.ADMIN),
    Page("GET", _KEYS, _keys, Role.ADMIN),
    Page("POST", _KEYS, _create_key, Role.ADMIN),
    Page("POST", "/settings/keys/{key}/revoke", _revoke_key, Role.ADMIN),
    Page("GET", "/settings/audit", _audit, Role.ADMIN),
)
