"""The ways in for contacts and companies (contract §2)."""

from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any

from tests.model.language.clock import parse_instant
from tests.model.language.people import Company, Contact
from tests.model.language.refusals import RefusedError, refuse_unless
from tests.model.language.tokens import check_identity, check_update_scope
from tests.model.language.values import (
    COMPANY_TRAITS,
    CONTACT_TRAITS,
    REVENUE,
    as_of_signup,
    check_objects,
    is_plain_text,
    parse_trait,
    same_json,
)
from tests.model.pipeline import Pipeline
from tests.model.signals import EVERYTHING, Signal

Answer = dict[str, Any]
MAXIMUM_BATCH = 500
#: What changes when a lead becomes a user.
PROMOTION = frozenset({"external_id", "contact_type"})


class Traits:
    """Checked traits: recognised ones in `columns`, others in `custom`, and `warnings` (§2)."""

    def __init__(self) -> None:
        self.columns: dict[str, Any] = {}
        self.custom: dict[str, Any] = {}
        self.warnings: list[str] = []

    def keys(self) -> list[str]:
        """The keys of the fields that are given; a null that keeps the stored value is none."""
        kept = self.columns.get("signed_up_at", 0) is None
        columns = [name for name in self.columns if not (kept and name == "signed_up_at")]
        return [*columns, *(f"custom:{name}" for name in self.custom)]

    def give_way(self, said: Mapping[str, datetime], sent: datetime) -> None:
        """Leave out what was said after a call that was sent at `sent` (§2)."""
        later = {key for key, at in said.items() if at > sent}
        self.columns = {name: value for name, value in self.columns.items() if name not in later}
        self.custom = {
            name: value for name, value in self.custom.items() if f"custom:{name}" not in later
        }

    def merge_into(self, target: Contact | Company) -> frozenset[str]:
        """Lay the traits over those of a contact or company; return the keys of what changed.

        `null` overwrites, except `signed_up_at`, where it keeps the stored value.
        """
        before = _by_key(target)
        for name, value in self.columns.items():
            if name != "signed_up_at" or value is not None:
                target.columns[name] = value
        target.custom.update(self.custom)
        after = _by_key(target)
        return frozenset(
            key for key in after if key not in before or not same_json(before[key], after[key])
        )


def _by_key(target: Contact | Company) -> dict[str, Any]:
    """The traits under the keys by which filters name them."""
    prefix = "company." if isinstance(target, Company) else ""
    custom = {f"{prefix}custom:{name}": value for name, value in target.custom.items()}
    return {f"{prefix}{name}": value for name, value in target.columns.items()} | custom


class ContactDoors(Pipeline):
    """The part of the world through which contacts come in and change (contract §2)."""

    def read_traits(self, raw: Any, context: Any = None, *, company: bool = False) -> Traits:
        """Check the traits of a contact or a company; raises `RefusedError` (400) (contract §2)."""
        check_objects({} if raw is None else raw, {} if context is None else context)
        recognised = COMPANY_TRAITS if company else CONTACT_TRAITS
        from_stripe = self.org["mrr_mode"] == "stripe" and self.org["stripe_connected"]
        found = Traits()
        for name, value in (raw or {}).items():
            if name not in recognised:
                found.custom[name] = value
                continue
            parsed = parse_trait(name, value, self.zone)
            if name in REVENUE and from_stripe:
                found.warnings.append(f"{name} is ignored: it comes from Stripe")
            else:
                found.columns[name] = parsed
        return found

    def register(self, traits: Traits, prefix: str = "custom:") -> None:
        """Register custom fields for pickers (contract §2)."""
        self.registered_fields.update(prefix + name for name in traits.custom)
        for name, value in traits.custom.items() if prefix == "custom:" else ():
            if value is not None:
                self.is_text_field.setdefault(name, is_plain_text(value, self.zone))

    def create(self, source: str, external_id: str | None, traits: Traits) -> Contact:
        """Write a new contact, seen now, or at its sign-up where it was imported (contract §2)."""
        number = self.contacts[-1].number + 1 if self.contacts else 0
        contact = Contact(number, source, self.now, self.now, self.now, external_id)
        traits.merge_into(contact)
        if source not in ("sdk", "lead_form"):
            contact.first_seen = contact.last_seen = as_of_signup(contact.columns, self.now)
        self.contacts.append(contact)
        for key in self.default_lists:
            self.lists[key].add(contact)
        return contact

    def identify(
        self,
        user_id: str,
        traits: Any = None,
        context: Any = None,
        session_id: str | None = None,
        user_token_claims: Any = None,
        company: Mapping[str, Any] | None = None,
        sent_at: str | None = None,
    ) -> Answer:
        """Identify a user, and with `company` its company before any signal is handled (§2)."""
        check_user_id(user_id)
        check_identity(self.org["identity_secret"], user_token_claims, user_id, self.now)
        read = self.read_traits(traits, context)
        if company is not None:
            check_user_id(company.get("id"))
            self.read_traits(company.get("traits"), company=True)
        sent = self._sending_time(sent_at)
        given = [*read.keys(), *(f"context:{name}" for name in context or {})]
        contact, signal = self._upsert_user(user_id, read, sent)
        for name, value in (context or {}).items():
            if contact.said.get(f"context:{name}", sent) <= sent:
                contact.context[name] = value
        contact.said.update({key: max(sent, contact.said.get(key, sent)) for key in given})
        contact.last_seen = max(contact.last_seen, sent)
        contact.first_seen = min(contact.first_seen, sent)
        self._link_session(contact, session_id)
        self.register(read)
        self.signals.extend([signal] if signal else [])
        if company is not None:
            self._identify_company(company["id"], company.get("traits"), user_id)
        self.settle()
        return {
            "created": bool(signal and signal.created),
            "warnings": read.warnings,
            "contact_type": contact.contact_type,
            "user_id": user_id,
            "created_at": contact.created_at.isoformat(timespec="microseconds"),
            "first_seen": contact.first_seen.isoformat(timespec="microseconds"),
            "last_seen": contact.last_seen.isoformat(timespec="microseconds"),
        }

    def _sending_time(self, sent_at: str | None) -> datetime:
        try:
            sent = self.now if sent_at is None else parse_instant(sent_at, self.zone)
        except ValueError:
            raise RefusedError(400, "sent_at must be an ISO 8601 date") from None
        return min(sent, self.now)

    def _upsert_user(
        self, user_id: str, read: Traits, sent: datetime
    ) -> tuple[Contact, Signal | None]:
        contact = self.user(user_id)
        if contact is not None:
            read.give_way(contact.said, sent)
            changed = read.merge_into(contact)
            return contact, Signal((contact,), changed=changed) if changed else None
        namesakes = self.with_email(read.columns.get("email"))
        leads = [each for each in namesakes if each.contact_type == "lead"]
        if leads:
            read.give_way(leads[0].said, sent)
            changed = read.merge_into(leads[0]) | PROMOTION
            leads[0].external_id = user_id
            return leads[0], Signal((leads[0],), changed=changed, promoted=True)
        contact = self.create("sdk", user_id, read)
        contact.first_seen = contact.last_seen = sent
        return contact, Signal((contact,), created=True, changed=EVERYTHING)

    def _link_session(self, contact: Contact, session_id: str | None) -> None:
        for event in self.events:
            if session_id and event.contact is None and event.session_id == session_id:
                event.contact = contact
                contact.first_seen = min(contact.first_seen, event.timestamp)

    def identify_company(self, id: str, traits: Any = None, user_id: str | None = None) -> Answer:  # noqa: A002
        """Identify a company, and move a user into it (contract §2)."""
        answer = self._identify_company(id, traits, user_id)
        self.settle()
        return answer

    def _identify_company(self, company_id: str, traits: Any, user_id: str | None) -> Answer:
        check_user_id(company_id)
        read = self.read_traits(traits, company=True)
        mover = None if user_id is None else self.user(user_id)
        refuse_unless(user_id is None or mover, 404, f"unknown user {user_id!r}")
        created = company_id not in self.companies
        company = self.companies.setdefault(company_id, Company(company_id, self.now))
        changed = read.merge_into(company)
        self.register(read, "company.custom:")
        moved = mover is not None and mover.company is not company
        if mover is not None:
            mover.company = company
        if moved and mover:
            self.signals.append(Signal((mover,), changed=frozenset({"company"}), moved=True))
        if changed:
            members = tuple(each for each in self.contacts if each.company is company)
            self.signals.append(Signal(members, changed=changed))
        return {"created": created, "warnings": read.warnings}

    def tried(self, act: Callable[[Any], Answer]) -> Answer:
        """Act in a copy of this world; say whom series would enroll there, and who would leave."""
        trial = deepcopy(self)
        trial.surges_left_out = True
        said = act(trial)
        starts: dict[str, int] = {}
        leaves: dict[str, dict[str, int]] = {}
        for key, series in self.series.items():
            after = trial.series[key].runs
            starts[key] = len(after) - len(series.runs)
            inside = zip(series.runs, after, strict=False)
            ends = [then.end_reason for run, then in inside if run.is_active]
            left = Counter(end for end in ends if end not in (None, "completed"))
            leaves |= {key: dict(left)} if left else {}
        return {**said, "starts": starts, "leaves": leaves}

    def update(
        self,
        users: list[Any],
        update_only: bool = False,
        user_token_claims: Any = None,
        dry_run: bool = False,
    ) -> Answer:
        """Backfill a batch of users in silence, or in another world (contract §2)."""
        if dry_run:
            return self.tried(lambda trial: trial.update(users, update_only, user_token_claims))
        check_update_scope(self.org["identity_secret"], user_token_claims, self.now)
        too_many = f"a batch holds at most {MAXIMUM_BATCH} users"
        refuse_unless(len(users) <= MAXIMUM_BATCH, 400, too_many)
        answer: Answer = {"created": 0, "updated": 0, "skipped": 0, "errors": []}
        for index, each in enumerate(users):
            try:
                answer[self._update_one(each, update_only=update_only)] += 1
            except RefusedError:
                answer["errors"].append(index)
        self.settle()
        return answer

    def _update_one(self, user: Any, *, update_only: bool) -> str:
        valid = isinstance(user, dict) and set(user) <= {"user_id", "traits"}
        refuse_unless(valid, 400, "a user is user_id and traits")
        check_user_id(user.get("user_id"))
        read = self.read_traits(user.get("traits"))
        contact = self.user(user["user_id"])
        if contact is None and update_only:
            return "skipped"
        self.register(read)
        if contact is None:
            self.create("api", user["user_id"], read)
            return "created"
        if read.merge_into(contact):
            self.signals.append(Signal((contact,)))
        return "updated"


def check_user_id(user_id: Any) -> None:
    """Refuse an external ID that is not 1 to 255 characters, or blank (contract §2)."""
    fits = isinstance(user_id, str) and user_id.strip() and len(user_id) <= 255
    refuse_unless(fits, 400, "user_id must be 1 to 255 characters, not blank")
