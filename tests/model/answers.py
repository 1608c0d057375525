"""What the world answers when asked (contract §10)."""

from collections import Counter
from datetime import datetime
from typing import Any

from tests.model.control import Control
from tests.model.language.people import Contact
from tests.model.language.series import Groups
from tests.model.language.values import CONTACT_TRAITS
from tests.model.runs import Mail, Run, Series

Reasons = dict[str, str]
CONTACT_COLUMNS = (
    "external_id",
    "contact_type",
    "source",
    "created_at",
    "first_seen",
    "last_seen",
    "last_contacted_at",
)


class Answers(Control):
    """The part of the world with one query per `expect` key of a scenario (scenarios.md)."""

    def status(self, key: str) -> str:
        """Return `draft`, `active`, `paused` or `completed`."""
        return self.known_series(key).status

    def matched(self, key: str) -> int:
        """Return how many contacts match now (contract §3)."""
        return len(self.matched_contacts(self.known_series(key)))

    def enrolled(self, key: str) -> int:
        """Return how many contacts were ever enrolled, each once."""
        return len({run.contact for run in self.known_series(key).runs})

    def versions(self, key: str) -> int:
        """Return how many versions there are (contract §18)."""
        return self.known_series(key).versions

    def surge_at_most(self, key: str) -> int | None:
        """Return how many a span of the surge takes (contract §19)."""
        return self.known_series(key).surge_at_most

    def enrollments(self, key: str) -> int:
        """Return how many runs there ever were."""
        return len(self.known_series(key).runs)

    def active(self, key: str) -> list[str]:
        """Return the contacts with an active enrollment, by enrollment."""
        return [run.contact.label for run in self.known_series(key).active_runs()]

    def sent(self, key: str) -> dict[str, list[str]]:
        """Return the steps that were mailed, by contact, in order of sending."""
        found: dict[str, list[str]] = {}
        for run in self.known_series(key).runs:
            for mail in run.mails:
                found.setdefault(run.contact.label, []).append(mail.step)
        return found

    def recipients(self, key: str) -> list[dict[str, Any]]:
        """Return the rows of every contact's latest enrollment (contract §1, §5)."""
        return [
            {
                "contact": run.contact.label,
                "step": row.step,
                "status": row.status,
                "reason": row.reason,
                "exit_reason": row.exit_reason,
                "scheduled_for": row.scheduled_for,
                "created_at": row.created_at,
            }
            for run in self.known_series(key).runs
            for row in run.rows
        ]

    def _latest_runs(self, series: Series) -> list[Run]:
        return list({run.contact: run for run in series.runs}.values())

    def exited(self, key: str) -> Reasons:
        """Return how the latest enrollments ended, by contact, of those that did."""
        latest = self._latest_runs(self.known_series(key))
        return {run.contact.label: run.end_reason for run in latest if run.end_reason is not None}

    def converted(self, key: str) -> list[str]:
        """Return the contacts with an enrollment that converted (contract §7)."""
        runs = [run for run in self.known_series(key).runs if run.converted_at is not None]
        return list(dict.fromkeys(run.contact.label for run in runs))

    def explain(self, contact: str, key: str) -> str:
        """Return the reason code of one contact and one series, or `active` (contract §4)."""
        return self._code(self.known_contact(contact), self.known_series(key))

    def _code(self, contact: Contact, series: Series) -> str:
        latest = series.latest_run(contact)
        if latest is not None and latest.is_active:
            return "active"
        if series.status != "active":
            return "series_not_active"
        if contact in series.held:
            return "surge_held"
        if self.waits(series, contact):
            return "waiting_for_data"
        trigger = series.definition.entry_trigger
        kept = series.refusals.get(contact) if trigger in ("user_created", "event") else None
        if kept is not None and (latest is None or kept[1] > latest.order):
            return kept[0]
        refused = self.refusal_code(series, contact, self.now)
        passing = "awaiting_evaluation" if trigger == "segment_match" else "trigger_not_fired"
        return refused or passing

    def ledger(self, key: str) -> dict[str, int]:
        """Return the matched contacts by reason code; non-empty buckets (contract §10)."""
        series = self.known_series(key)
        return dict(Counter(self._code(each, series) for each in self.matched_contacts(series)))

    def held(self, key: str) -> list[str]:
        """Return whom the surge holds, in order of arrival (contract §19)."""
        return [contact.label for contact in self.known_series(key).held]

    def active_outside(self, key: str) -> int:
        """Return how many active contacts no longer match (contract §10)."""
        series = self.known_series(key)
        matched = self.matched_contacts(series)
        return sum(run.contact not in matched for run in series.active_runs())

    def diagnose(self, key: str) -> dict[str, Any]:
        """Return how each filter counts, over contacts that could match (contract §10)."""
        series = self.known_series(key)
        pool = [c for c in self.contacts if self.fits_type(c, series) and not self.is_suppressed(c)]
        groups = series.definition.audience_filters
        filters = [
            {
                "field": each.field,
                "passes_alone": sum(self.passes(contact, each) for contact in pool),
                "matches_without": sum(self.holds(contact, rest) for contact in pool),
                "missing": sum(
                    each.lacks(self.value(contact, each.field), self.zone) for contact in pool
                ),
            }
            for each, rest in _each_left_out(groups)
        ]
        return {"matched": self.matched(key), "filters": filters}

    def contact_values(self, name: str) -> dict[str, Any] | None:
        """Return a contact's columns, `custom:NAME`s and `context:KEY`s, or None if unknown."""
        contact = self.contact(name)
        if contact is None:
            return None
        values = {column: getattr(contact, column) for column in CONTACT_COLUMNS}
        values |= {column: contact.columns[column] for column in CONTACT_TRAITS}
        values |= {f"custom:{key}": value for key, value in contact.custom.items()}
        return values | {f"context:{key}": value for key, value in contact.context.items()}

    def last_seen(self, name: str) -> datetime:
        """Return when a contact was last seen, in UTC (contract §2)."""
        return self.known_contact(name).last_seen

    def fields(self) -> list[str]:
        """Return the registered custom fields (contract §2)."""
        return sorted(self.registered_fields)

    def mail(self) -> list[Mail]:
        """Return every mail sent so far, in order."""
        return list(self.outbox)


def _each_left_out(groups: Groups) -> list[tuple[Any, Groups]]:
    """Return every filter with the groups as they would be without it (contract §10)."""
    return [
        (each, [*groups[:n], [*group[:m], *group[m + 1 :]], *groups[n + 1 :]])
        for n, group in enumerate(groups)
        for m, each in enumerate(group)
    ]
