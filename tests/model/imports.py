"""The ways in for contacts whom others bring: lead form, teammates, Stripe, CSV (contract §2)."""

import csv
import io
from typing import Any

from tests.model.doors import PROMOTION, Answer, ContactDoors, Traits, check_user_id
from tests.model.language.cells import read_cell, split_field
from tests.model.language.fields import BARE_CUSTOM
from tests.model.language.filters import value_type
from tests.model.language.people import Contact
from tests.model.language.refusals import RefusedError, refuse_unless
from tests.model.language.values import CONTACT_TRAITS, parse_trait, same_json
from tests.model.signals import EVERYTHING, Signal

SEPARATORS = ",;\t|"
STRIPE_DATES = ("trial_end", "current_period_end")


class ImportDoors(ContactDoors):
    """The part of the world through which others bring contacts in (contract §2)."""

    def capture_lead(self, email: Any, traits: Any = None) -> Answer:
        """Take an email from the lead form: a lead, if it is new (contract §2)."""
        blank = not isinstance(email, str) or not email.strip()
        refuse_unless(not blank, 400, "email must not be blank")
        read = self.read_traits({**(traits or {}), "email": email})
        known = self.with_email(email)
        if known:
            known[0].last_seen = self.now
            return {"created": False, "warnings": []}
        contact = self.create("lead_form", None, read)
        self.register(read)
        self.signals.append(Signal((contact,), created=True))
        self.settle()
        return {"created": True, "warnings": read.warnings}

    def add_contact(
        self, user_id: str | None = None, email: str | None = None, traits: Any = None
    ) -> Answer:
        """Add a contact by a teammate's hand; raises `RefusedError` (409) if it exists (§2)."""
        refuse_unless(user_id or email, 400, "user_id or email is needed")
        if user_id is not None:
            check_user_id(user_id)
        given = {} if email is None else {"email": email}
        read = self.read_traits({**(traits or {}), **given})
        known = self.user(user_id) if user_id is not None else self.with_email(email)
        refuse_unless(not known, 409, "the contact exists")
        contact = self.create("dashboard", user_id, read)
        self.register(read)
        self.signals.append(Signal((contact,), created=True))
        self.settle()
        return {"created": True, "warnings": read.warnings}

    def stripe_subscription(
        self, user_id: str | None = None, email: str | None = None, **fields: Any
    ) -> Answer:
        """Take a customer's subscription from Stripe; an unknown one becomes a contact (§2)."""
        refuse_unless(user_id or email, 400, "user_id or email is needed")
        stored = self._read_subscription(fields)
        contact, promoted = self._customer(user_id, email)
        created = contact is None
        if contact is None:
            read = self.read_traits({} if email is None else {"email": email})
            contact = self.create("stripe", user_id, read)
        before = dict(contact.stripe)
        contact.stripe.update(stored)
        changed = frozenset(
            f"stripe:{name}"
            for name, value in contact.stripe.items()
            if not same_json(before.get(name), value)
        )
        if promoted:
            contact.external_id = user_id
            changed |= PROMOTION
        if created or changed:
            changed = EVERYTHING if created else changed
            self.signals.append(
                Signal((contact,), created=created, changed=changed, promoted=promoted)
            )
        self.settle()
        return {"created": created}

    def _customer(self, user_id: str | None, email: str | None) -> tuple[Contact | None, bool]:
        """Return the contact of a customer, if there is one, and whether it is a lead that becomes
        the user.
        """
        namesakes = self.with_email(email)
        if user_id is None:
            return next(iter(namesakes), None), False
        leads = [each for each in namesakes if each.contact_type == "lead"]
        known = self.user(user_id)
        return known or next(iter(leads), None), known is None and bool(leads)

    def _read_subscription(self, fields: dict[str, Any]) -> dict[str, Any]:
        names = {"status": "subscription_status", "plan": "plan"}
        names |= {name: name for name in (*STRIPE_DATES, "cancel_at_period_end")}
        unknown = sorted(set(fields) - set(names))
        refuse_unless(not unknown, 400, f"unknown: {', '.join(unknown)}")
        stored = {}
        for name, value in fields.items():
            if name in STRIPE_DATES:
                stored[name] = parse_trait("signed_up_at", value, self.zone)
            else:
                kind = "boolean" if name == "cancel_at_period_end" else "string"
                fits = value is None or value_type(value) == kind
                refuse_unless(fits, 400, f"{name} must be a {kind}")
                stored[names[name]] = value
        return stored

    def import_csv(self, text: str, mapping: dict[str, str], *, dry_run: bool = False) -> Answer:
        """Import rows of a CSV; bad ones are errors by line, the header being 1 (contract §2).

        A dry run happens in another world, and says whom series would enroll there.
        """
        if dry_run:
            return self.tried(lambda trial: trial.import_csv(text, mapping))
        for field in mapping.values():
            trait = split_field(field)
            known = field == "external_id" or trait in CONTACT_TRAITS + BARE_CUSTOM
            known = known or (field.startswith("custom:") and trait != "")
            known = known or field.removeprefix("list:") in self.lists
            refuse_unless(known, 400, f"mapping: unknown field {field!r}")
        lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
        skipped = 0
        while (first := lines.readline()) and not first.strip(SEPARATORS + " \r\n"):
            skipped += 1
        lines.seek(lines.tell() - len(first))
        separator = max(SEPARATORS, key=first.count)
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        header = [name.strip() for name in next(reader, [])]
        missing = sorted(set(mapping) - set(header))
        refuse_unless(not missing, 400, f"mapping: no column {', '.join(missing)}")
        answer: Answer = {"created": 0, "updated": 0, "errors": []}
        line = skipped + reader.line_num + 1
        for row in reader:
            cells = [cell.strip() for cell in row]
            try:
                if any(cells):
                    answer[self._import_row(header, cells, mapping)] += 1
            except RefusedError:
                answer["errors"].append(line)
            line = skipped + reader.line_num + 1
        self.settle()
        return answer

    def _import_row(self, header: list[str], cells: list[str], mapping: dict[str, str]) -> str:
        refuse_unless(not any(cells[len(header) :]), 400, "more cells than columns")
        named = zip(header, cells, strict=False)
        given = {mapping[key]: cell for key, cell in named if key in mapping and cell != ""}
        external_id = given.pop("external_id", None)
        lists = {field: given.pop(field) for field in [*given] if field.startswith("list:")}
        wished = {
            field.removeprefix("list:"): read_cell(f"{field}:boolean", cell, as_text=False)
            for field, cell in lists.items()
        }
        refuse_unless(external_id or given.get("email"), 400, "neither external_id nor email")
        if external_id is not None:
            check_user_id(external_id)
        traits = {}
        for field, cell in given.items():
            name = split_field(field)
            as_text = self.is_text_field.get(name, False)
            traits[name] = read_cell(field, cell, as_text=as_text)
        read = self.read_traits(traits)
        contact = self.user(external_id) if external_id else None
        namesakes = self.with_email(given.get("email"))
        free = [each for each in namesakes if not external_id or each.external_id is None]
        contact = contact or next(iter(free), None)
        self.register(read)
        if contact is None:
            created = self.create("csv", external_id, read)
            self.signals.append(Signal((created,), created=True))
            self._change_lists(created, wished)
            return "created"
        self._merge_row(contact, external_id, read)
        self._change_lists(contact, wished)
        return "updated"

    def _change_lists(self, contact: Contact, wished: dict[str, bool]) -> None:
        """Put a contact on lists or take it off, in silence; who left everything joins none."""
        for key, joins in wished.items():
            if joins and contact.address not in self.unsubscribed:
                self.lists[key].add(contact)
            elif not joins:
                self.lists[key].discard(contact)
            self.signals.append(Signal((contact,)))

    def _merge_row(self, contact: Contact, external_id: str | None, read: Traits) -> None:
        changed = bool(read.merge_into(contact))
        if external_id and contact.external_id is None:
            contact.external_id, changed = external_id, True
        if changed:
            self.signals.append(Signal((contact,)))
