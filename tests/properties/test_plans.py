"""A plan says exactly what happens when nothing else does; a revert undoes a save (§18)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from halo_engine.answers.plans.fate_names import FateName
from halo_engine.answers.plans.pages import PlannedContact
from halo_engine.answers.plans.plan import Plan, plan
from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.domain.errors import Refusal
from halo_engine.series.files.apply import Saving, apply_definitions
from halo_engine.series.files.history import find_version
from halo_engine.series.lifecycle import activate
from halo_engine.series.save import parse_definition, save_series
from halo_engine.tables import automation_enrollments, automation_recipients, automation_steps
from halo_engine.work import Work
from tests.pipeline.sandbox import Sandbox, new_sandbox

#: How many plans are made, in as many parts; `make torture` asks for more, and for others.
PARTS = 4
PLANS = int(os.environ.get("HALO_TEST_PLANS", "300"))
SEED = os.environ.get("HALO_TEST_SEED", "the suite")
PEOPLE = ("ann", "bob", "cat", "dan", "eve", "fay")
_numbers = count(1)

#: None of them turns with the time.
FILTERS = (
    {"field": "plan", "operator": "is", "value": "pro"},
    {"field": "plan", "operator": "is_not", "value": "pro"},
    {"field": "custom:score", "operator": "gt", "value": 2},
    {"field": "email", "operator": "contains", "value": "@a."},
    {"field": "company.custom:tier", "operator": "is", "value": "gold"},
)
WINDOWS = (
    None,
    {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"},
    {"days": ["tue", "sat"], "from": "22:00", "to": "03:00", "timezone": "Europe/Berlin"},
)
groups = st.lists(st.sampled_from(FILTERS), min_size=1, max_size=2).map(
    lambda chosen: [[each] for each in chosen]
)


@st.composite
def steps(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some of four steps, in any order."""
    return [
        {"key": key, "delay": draw(st.sampled_from(["0", "20m", "1d", "3d"])), **draw(_does(key))}
        for key in draw(st.lists(st.sampled_from("abcd"), unique=True, min_size=1, max_size=4))
    ]


@st.composite
def _does(draw: st.DrawFn, key: str) -> dict[str, Any]:
    if draw(st.integers(0, 3)) == 0:
        return {"condition": {"type": "user_property", "value": "plan=pro"}}
    email = {"email": {"subject": key, "body": key}}
    return email | ({"send_window": draw(st.sampled_from(WINDOWS))} if draw(st.booleans()) else {})


definitions = st.fixed_dictionaries(
    {
        "entry_trigger": st.just("segment_match"),
        "audience_type": st.just("segment"),
        "audience_filters": groups,
        "settings": st.fixed_dictionaries(
            {
                "one_per_company": st.booleans(),
                "one_per_address": st.booleans(),
                "reenroll_enabled": st.booleans(),
                "exit_rules": st.lists(
                    st.sampled_from(["segment_leave", "filter_match"]), unique=True
                ),
                "exit_filters": groups,
                "send_window": st.sampled_from(WINDOWS),
            }
        ),
        "steps": steps(),
    }
)
people = st.fixed_dictionaries(
    {
        name: st.fixed_dictionaries(
            {
                "plan": st.sampled_from(["pro", "pro", "free"]),
                "score": st.sampled_from([1, 3]),
                "company": st.sampled_from([None, "gold", "tin"]),
                "address": st.sampled_from(["ann@a.example", "bob@a.example", "cat@b.example"]),
            }
        )
        for name in PEOPLE
    }
)


@dataclass
class Follow:
    """A series whose plan is made, saved, and followed."""

    sandbox: Sandbox
    fates: dict[FateName, list[PlannedContact]] = field(default_factory=dict)

    def begin(self, written: dict[str, Any], who: dict[str, dict[str, Any]]) -> None:
        """Let the people come, and enter some hours apart."""
        self.sandbox.perform(lambda work: save_series(work, "s", parse_definition("s", written)))
        self.sandbox.perform(lambda work: activate(work, "s", "test"))
        for together in (PEOPLE[:3], PEOPLE[3:]):
            self.sandbox.perform(partial(_come_all, {name: who[name] for name in together}))
            self.sandbox.settle()
            self.sandbox.now += timedelta(hours=5)
            self.sandbox.settle()

    def plan(self, written: dict[str, Any], *, reschedule: bool) -> Plan:
        """Make the plan, and read the contacts of each fate."""
        definition = parse_definition("s", written)

        def asked(fate: FateName | None = None) -> Plan:
            return self.sandbox.perform(
                lambda work: plan(work, "s", definition, reschedule=reschedule, fate=fate)
            )

        found = asked()
        for each in found.fates:
            page = asked(each.fate).page
            assert page is not None
            assert len(page.items) == each.contacts
            self.fates[each.fate] = list(page.items)
        return found

    def save(self, written: dict[str, Any], token: str, *, reschedule: bool) -> None:
        """Save what was planned."""
        saving = Saving(reschedule=reschedule, token=token)
        definition = {"s": parse_definition("s", written)}
        self.sandbox.perform(lambda work: apply_definitions(work, definition, saving))
        self.sandbox.settle()

    def row(self, id_: int) -> Any:
        """Return a recipient row with its run's end."""
        rows, runs = automation_recipients, automation_enrollments
        found = (
            select(
                rows.c.status,
                rows.c.reason,
                rows.c.scheduled_for,
                runs.c.exit_reason,
                runs.c.end_user_id,
                runs.c.number,
            )
            .join(
                runs,
                (runs.c.org_id == rows.c.org_id)
                & (runs.c.automation_id == rows.c.automation_id)
                & (runs.c.end_user_id == rows.c.end_user_id)
                & (runs.c.number == rows.c.enrollment_number),
            )
            .where(rows.c.id == id_)
        )
        return self.sandbox.perform(lambda work: work.connection.execute(found).one())

    def steps_of(self, contact_id: UUID) -> set[str]:
        """Return the keys of the steps at which a contact has rows."""
        history = self.sandbox.perform(lambda work: _steps_of(work, contact_id))
        return set(history)

    def runs(self) -> int:
        """Return how many runs there were."""
        return self.sandbox.count(automation_enrollments)

    def holds_at_once(self) -> None:
        """What the plan says of the instant of the save is so."""
        for each in self.fates.get(FateName.STAYS, []):
            row = self.row(each.id)
            assert (row.status, row.scheduled_for) == ("pending", each.due_before), each
        for each in self.fates.get(FateName.RESCHEDULED, []):
            row = self.row(each.id)
            assert (row.status, row.scheduled_for) == ("pending", each.due_after), each
        for each in self.fates.get(FateName.SENT_NOW, []):
            assert self.row(each.id).status in ("completed", "skipped"), each

    def holds_when_due(self) -> None:
        """Move on from one due instant to the next; at each the rest of the plan is so."""
        planned = [(each, fate) for fate, page in self.fates.items() for each in page]
        for each, fate in sorted(planned, key=lambda pair: pair[0].due_after):
            self.sandbox.now = max(self.sandbox.now, each.due_after)
            self.sandbox.settle()
            row = self.row(each.id)
            match fate:
                case FateName.EXITS:
                    assert row.exit_reason == each.exit_reason, each
                case FateName.COMPLETES:
                    assert (row.reason, row.exit_reason) == ("step_removed", "completed"), each
                case FateName.SKIPS_STEP:
                    assert row.reason == "step_removed", each
                    assert each.to in self.steps_of(each.contact_id), each
                case _:
                    self.comes_about(each)

    def comes_about(self, each: PlannedContact) -> None:
        """Whoever is due is sent it, or walks on; a window that a save closed opens once more."""
        row = self.row(each.id)
        if row.status == "pending":
            # It kept a time at which the new window is closed: when due, it waits for the opening.
            assert row.scheduled_for > each.due_after, each
            self.sandbox.now = max(self.sandbox.now, row.scheduled_for)
            self.sandbox.settle()
            row = self.row(each.id)
        assert row.status in ("completed", "skipped"), each


def _come_all(who: dict[str, dict[str, Any]], work: Work) -> None:
    for name, traits in who.items():
        _come(work, name, traits)


def _come(work: Work, name: str, traits: dict[str, Any]) -> None:
    given_traits = {"email": traits["address"], "plan": traits["plan"], "score": traits["score"]}
    identify(work, IdentifyCall(user_id=name, traits=given_traits))
    if traits["company"] is not None:
        company = {"id": traits["company"], "traits": {"tier": traits["company"]}, "user_id": name}
        identify_company(work, IdentifyCompanyCall.model_validate(company))


def _steps_of(work: Work, contact_id: UUID) -> list[str]:
    rows, known = automation_recipients, automation_steps
    found = (
        select(known.c.key)
        .join(rows, (rows.c.org_id == known.c.org_id) & (rows.c.step_id == known.c.id))
        .where(rows.c.org_id == work.org_id, rows.c.end_user_id == contact_id)
    )
    return list(work.connection.scalars(found))


def _next_pass(now: datetime) -> datetime:
    """Return the next instant at which everybody is looked at, by the default cron."""
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(
        minutes=15 * (now.minute // 15 + 1)
    )


@contextmanager
def _followed(database: Engine) -> Iterator[Follow]:
    yield Follow(new_sandbox(database, f"plans-{next(_numbers)}-{uuid4()}"))


@pytest.mark.parametrize("part", range(PARTS))
def test_what_a_plan_says_is_what_happens(part: int, shared_database: Engine) -> None:
    """Each recipient meets its fate, as many enter as it says, and reverting undoes the rest."""

    @seed(f"{SEED} {part}")
    @settings(
        max_examples=max(PLANS // PARTS, 1),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(definitions, definitions, people, st.booleans())
    def holds(
        first: dict[str, Any], then: dict[str, Any], who: dict[str, Any], reschedule: bool
    ) -> None:
        with _followed(shared_database) as follow:
            follow.begin(first, who)
            found = follow.plan(then, reschedule=reschedule)
            assert found.refusals == ()
            assert found.active == follow.sandbox.count(
                automation_enrollments, automation_enrollments.c.ended_at.is_(None)
            )
            before = follow.runs()
            follow.save(then, found.token, reschedule=reschedule)
            follow.holds_at_once()
            _holds_at_the_next_pass(follow, found, before)
            follow.holds_when_due()

    holds()


def _holds_at_the_next_pass(follow: Follow, found: Plan, before: int) -> None:
    """As many enter as the plan says, where no run can end before the pass."""
    passing = _next_pass(follow.sandbox.now)
    due = [each.due_after for page in follow.fates.values() for each in page]
    if FateName.SENT_NOW in follow.fates or any(each <= passing for each in due):
        return
    follow.sandbox.now = passing
    follow.sandbox.tick()
    assert follow.runs() - before == found.outside.would_enter


def test_a_revert_is_the_identity_for_what_is_to_come(shared_database: Engine) -> None:
    """After a save and a revert, a plan of the first definition finds nothing that differs."""

    @settings(
        max_examples=max(PLANS // 8, 1),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @seed(SEED)
    @given(definitions, definitions, people)
    def holds(first: dict[str, Any], then: dict[str, Any], who: dict[str, Any]) -> None:
        with _followed(shared_database) as follow:
            follow.begin(first, who)
            sandbox = follow.sandbox
            calm = sandbox.perform(lambda work: plan(work, "s", parse_definition("s", first)))
            try:
                again = parse_definition("s", then)
                sandbox.perform(lambda work: save_series(work, "s", again))
            except Refusal:
                return

            def revert(work: Work) -> None:
                _, definition = find_version(work, "s", 1)
                apply_definitions(work, {"s": definition})

            sandbox.perform(revert)
            after = sandbox.perform(lambda work: plan(work, "s", parse_definition("s", first)))
            assert (after.result, after.changes) == ("unchanged", ())
            assert (after.active, after.fates) == (calm.active, calm.fates)

    holds()
