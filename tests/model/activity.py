"""What contacts do: events, lists, mail read and answered (contract §2)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from tests.model.doors import Answer
from tests.model.imports import ImportDoors
from tests.model.language.clock import parse_instant
from tests.model.language.people import Contact, Event
from tests.model.language.refusals import RefusedError, refuse_unless
from tests.model.language.values import check_json, same_json
from tests.model.runs import Mail, Run
from tests.model.signals import Signal

HISTORY = timedelta(hours=24)
CONFIRMED_WITHIN = timedelta(days=7)
#: A timestamp that is no further ahead means now.
CLOCKS_DIFFER = timedelta(minutes=5)


class Activity(ImportDoors):
    """The part of the world through which contacts' doings come in (contract §2)."""

    def track(
        self,
        event: Any,
        user_id: str | None = None,
        session_id: str | None = None,
        properties: Any = None,
        timestamp: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Track an event of a user, or of a session not yet known (contract §2)."""
        named = isinstance(event, str) and event.strip()
        refuse_unless(named, 400, "event must not be blank")
        refuse_unless(user_id or session_id, 400, "user_id or session_id is needed")
        check_json({} if properties is None else properties)
        happened = self._read_timestamp(timestamp)
        body = [event, user_id, session_id, properties, timestamp]
        if idempotency_key is not None and idempotency_key in self.answers_by_key:
            first_body, answer = self.answers_by_key[idempotency_key]
            refuse_unless(same_json(first_body, body), 409, "idempotency_key: another body")
            return dict(answer)
        contact = None if user_id is None else self.user(user_id)
        refuse_unless(user_id is None or contact, 404, f"unknown user {user_id!r}")
        self._record(event, contact, session_id, happened, properties or {})
        answer = {"event": event, "warnings": []}
        if idempotency_key is not None:
            self.answers_by_key[idempotency_key] = (body, answer)
        self.settle()
        return answer

    def _read_timestamp(self, timestamp: str | None) -> datetime:
        try:
            happened = self.now if timestamp is None else parse_instant(timestamp, self.zone)
        except ValueError:
            raise RefusedError(400, "timestamp must be an ISO 8601 date") from None
        refuse_unless(happened <= self.now + CLOCKS_DIFFER, 400, "timestamp too far ahead")
        return min(happened, self.now)

    def _record(
        self,
        name: str,
        contact: Contact | None,
        session_id: str | None,
        happened: datetime,
        properties: dict[str, Any],
    ) -> None:
        history = self.now - happened > HISTORY
        only_counts = history or contact is None
        order = self.next_order()
        event = Event(name, happened, order, contact, session_id, only_counts, properties)
        self.events.append(event)
        if contact is not None:
            contact.last_seen = self.now
        if contact is not None and not history:
            self.signals.append(Signal((contact,), event=event))

    def save_list(
        self,
        list: str,  # noqa: A002
        *,
        double_opt_in: bool = False,
        default: bool = False,
        **_: Any,
    ) -> None:
        """Make a list, or say how it is joined (contract §16)."""
        self.lists.setdefault(list, set())
        (self.default_lists.add if default else self.default_lists.discard)(list)
        (self.confirmed_lists.add if double_opt_in else self.confirmed_lists.discard)(list)

    def subscribe(self, contact: str, list: str, *, confirmed: bool = False) -> None:  # noqa: A002
        """Put a contact on a list, or ask it to confirm (§2, §3, §16)."""
        person = self.known_contact(contact)
        is_member = person in self.known_list(list)
        if list not in self.confirmed_lists or confirmed or is_member:
            self._joins(person, list)
            return
        refuse_unless(person.address, 400, "the contact has no email")
        self.pending[person, list] = (self.now, person.address or "")

    def confirm(self, contact: str, list: str) -> None:  # noqa: A002
        """Confirm a list for everybody who waits at the contact's address (contract §16)."""
        address = self.known_contact(contact).address
        for (person, key), (since, asked) in [*self.pending.items()]:
            is_in_time = self.now < since + CONFIRMED_WITHIN
            if key == list and is_in_time and address == asked == person.address:
                self._joins(person, list)

    def _joins(self, person: Contact, list: str) -> None:  # noqa: A002
        """Put a contact on a list; this lifts an unsubscription, and nothing else (§2, §3)."""
        self.pending.pop((person, list), None)
        changed = set() if person in self.known_list(list) else {list}
        self.known_list(list).add(person)
        self.unsubscribed.discard(person.address or "")
        self._reacts([person], changed)

    def unsubscribe(self, contact: str, list: str | None = None) -> None:  # noqa: A002
        """Take a contact off a list, or off everything (contract §2, §3)."""
        person = self.known_contact(contact)
        if list is not None:
            changed = {list} if person in self.known_list(list) else set()
            self.known_list(list).discard(person)
            self.pending.pop((person, list), None)
            self._reacts([person], changed)
            return
        left = {key for key, members in self.lists.items() if person in members}
        for key, members in self.lists.items():
            members.discard(person)
            self.pending.pop((person, key), None)
        if person.address is not None:
            self.unsubscribed.add(person.address)
        for each in self.with_email(person.email) or [person]:
            self._notes([each], left if each is person else set())
        self.settle()

    def bounce(self, contact: str) -> None:
        """Suppress a contact's address for good (contract §3); 400 without an address."""
        person = self.known_contact(contact)
        refuse_unless(person.address, 400, "the contact has no email")
        self.bounced.add(person.address or "")
        self._reacts(self.with_email(person.email))

    def complain(self, contact: str) -> None:
        """Take a contact off everything, for a complaint (§2); 400 without an address."""
        person = self.known_contact(contact)
        refuse_unless(person.address, 400, "the contact has no email")
        self.complained.add(person.address or "")
        self.unsubscribe(contact)

    def unsuppress(self, contact: str, because: str) -> None:
        """Lift all that suppresses a contact's address, or an address (§2); 400 for none."""
        refuse_unless(because.strip(), 400, "why is it lifted?")
        person = self.contact(contact)
        refuse_unless(person or "@" in contact, 404, "nobody is called so")
        refuse_unless(person is None or person.address, 400, "the contact has no email")
        address = (person.address if person else None) or contact.lower()
        causes = (self.bounced, self.unsubscribed, self.complained)
        # Where there is nothing to lift nothing changes, so nobody is looked at again (§6).
        if any(address in each for each in causes):
            for each in causes:
                each.discard(address)
            self._reacts(self.with_email(address))

    def open(self, contact: str, series: str, step: str, *, by: str = "person") -> None:
        """Note that a contact opened an email; 404 when none was sent (contract §5).

        A machine's open is kept apart, and nobody reacts to it (§16).
        """
        person, mail, _ = self._mail_of(contact, series, step)
        if by == "machine":
            mail.machine_opened = True
            return
        mail.opened = True
        self._reacts([person])

    def click(self, contact: str, series: str, step: str, *, by: str = "person") -> None:
        """Note that a contact clicked a link in an email; 404 when none was sent (§5, §16)."""
        person, mail, _ = self._mail_of(contact, series, step)
        if by == "machine":
            mail.machine_clicked = True
            return
        mail.clicked = True
        self._reacts([person])

    def reply(self, contact: str, series: str, step: str) -> None:
        """Note that a contact replied to an email; 404 when none was sent (contract §6)."""
        person, _, latest = self._mail_of(contact, series, step)
        person.last_seen = self.now
        latest.replied = True
        self._reacts([person])

    def _mail_of(self, contact: str, series: str, step: str) -> tuple[Contact, Mail, Run]:
        """The contact, the latest mail of this step to it, and its latest run of the series."""
        person = self.known_contact(contact)
        runs = [run for run in self.known_series(series).runs if run.contact is person]
        mails = [mail for run in runs for mail in run.mails if mail.step == step]
        refuse_unless(mails, 404, f"no email {step!r} of {series!r} was sent to {contact!r}")
        return person, mails[-1], runs[-1]

    def _reacts(self, contacts: list[Contact], moved: Iterable[str] = ()) -> None:
        self._notes(contacts, moved)
        self.settle()

    def _notes(self, contacts: list[Contact], moved: Iterable[str]) -> None:
        """Leave a signal; it is not silent for those who joined or left lists (§2, §22)."""
        changed = frozenset(f"list:{key}" for key in moved)
        self.signals.append(Signal(tuple(contacts), changed=changed))
