"""Explain, ledger, preview and enrollment agree (contract §10).

Whatever happens to a few contacts and a series, the answers match what enrolling everybody would
do.
"""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from halo_engine.answers.explain.explain import Explanation, explain
from halo_engine.answers.reports.preview import preview
from halo_engine.enrollment.candidates import Paged
from halo_engine.enrollment.enroll import enroll
from halo_engine.enrollment.pages import ContactRange
from halo_engine.tables import automation_enrollments
from tests.answers.sandbox import BY_PLAN, Sandbox
from tests.contacts.sandbox import new_organization

NAMES = ("ann", "bob", "cyd", "dee")
#: Who waits for a seat or an address may find it taken by somebody else of the set.
_CONTENDED = ("company_already_enrolled", "address_already_enrolled")
VIP = [[{"field": "custom:vip", "operator": "is", "value": True}]]

people = st.fixed_dictionaries(
    {
        "custom_fields": st.fixed_dictionaries(
            {}, optional={"plan": st.sampled_from(("pro", "free")), "vip": st.booleans()}
        ),
        "company": st.sampled_from((None, "acme", "acme", "beta")),
        "is_lead": st.booleans(),
        "address": st.sampled_from(("ann@a.example", "Ann@A.example", "bob@a.example", None)),
    }
)
definitions = st.fixed_dictionaries(
    {
        "entry_trigger": st.sampled_from(("manual", "user_created", "event", "segment_match")),
        "contact_type": st.sampled_from(("both", "both", "user", "lead")),
        "settings": st.fixed_dictionaries(
            {
                "entry_event_name": st.just("go"),
                "reenroll_enabled": st.booleans(),
                "reenroll_delay_days": st.sampled_from((None, 0, 1)),
                "one_per_company": st.booleans(),
                "one_per_address": st.booleans(),
                "exit_rules": st.sampled_from(([], ["filter_match"], ["segment_leave"])),
                "exit_filters": st.just(VIP),
            }
        ),
    }
)
happenings = st.lists(
    st.tuples(
        st.sampled_from(
            ("created", "fires", "end", "pro", "free", "suppress", "wait", "reevaluate", "pause")
        ),
        st.sampled_from(NAMES),
    ),
    max_size=8,
)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    crowd=st.tuples(*[people] * len(NAMES)),
    definition=definitions,
    by_plan=st.booleans(),
    happened=happenings,
)
def test_explain_ledger_preview_and_enrollment_agree(
    sandbox: Sandbox,
    crowd: tuple[dict[str, Any], ...],
    definition: dict[str, Any],
    by_plan: bool,
    happened: list[tuple[str, str]],
) -> None:
    """Every contact has one code, the ledger counts them, and nobody else could be enrolled."""
    with sandbox.work.connection.begin_nested() as savepoint:
        scene = Sandbox(new_organization(sandbox.work.connection))
        populate(scene, crowd)
        needs_filter = by_plan or definition["entry_trigger"] == "segment_match"
        scene.series(**definition, **(BY_PLAN if needs_filter else {}))
        for what, name in happened:
            let_happen(scene, what, name)
        before = together_and_alone(scene)
        check_ledger(scene, before)
        check_enrollment(scene, before)
        savepoint.rollback()


def populate(scene: Sandbox, crowd: tuple[dict[str, Any], ...]) -> None:
    """Write the contacts and the companies."""
    companies = {"acme": scene.company("acme"), "beta": scene.company("beta"), None: None}
    addresses: set[str] = set()
    for name, each in zip(NAMES, crowd, strict=True):
        address = each["address"]
        if each["is_lead"] and address:
            # No two leads have one address.
            address = None if address.lower() in addresses else address
            addresses.add((address or "").lower())
        scene.add(
            name,
            custom_fields=each["custom_fields"],
            company_id=companies[each["company"]],
            external_id=None if each["is_lead"] else name,
            email=address,
        )
    # Whoever the series is for, somebody matches: a manual one can be activated.
    scene.pro("user")
    scene.pro("lead", external_id=None)


def let_happen(scene: Sandbox, what: str, name: str) -> None:
    """Let one thing happen, if it is possible."""
    match what:
        case "created":
            scene.created(name)
        case "fires":
            scene.fires(name, "go")
        case "end" if number := running(scene, name):
            scene.end(name, number=number)
        case "pro" | "free":
            scene.change(name, custom_fields={"plan": what})
            scene.changed(name, "custom:plan")
        case "suppress":
            scene.suppress(name)
        case "wait":
            scene.wait(hours=13)
        case "reevaluate":
            scene.reevaluate()
        case "pause":
            (scene.pause if scene.saved().is_active else scene.resume)()


def running(scene: Sandbox, name: str) -> int | None:
    """Return the number of the contact's active enrollment."""
    runs = automation_enrollments
    return scene.work.connection.scalar(
        select(runs.c.number).where(
            runs.c.org_id == scene.work.org_id,
            runs.c.end_user_id == scene.ids[name],
            runs.c.ended_at.is_(None),
        )
    )


def check_ledger(scene: Sandbox, codes: dict[str, Explanation]) -> None:
    """Compare the ledger with the preview's contacts, counted by code."""
    ledger = scene.ledger()
    matched = {each.id for each in preview(scene.work, scene.saved()).contacts}
    assert ledger.matched == len(matched)
    assert dict(ledger.buckets) == Counter(
        each.code for each in codes.values() if each.contact_id in matched
    )
    active = {each.contact_id for each in codes.values() if each.code == "active"}
    assert ledger.active_outside == len(active - matched)


def together_and_alone(scene: Sandbox) -> dict[str, Explanation]:
    """Explain all contacts together and one by one; both must be equal."""
    series = scene.saved()
    answers = explain(scene.work, series, list(scene.ids.values()))
    for answer in answers:
        assert [answer] == explain(scene.work, series, [answer.contact_id])
    return dict(zip(scene.ids, answers, strict=True))


def check_enrollment(scene: Sandbox, before: dict[str, Explanation]) -> None:
    """Enroll everybody possible: contacts that nothing refused, or whose trigger came too early."""
    work = scene.work
    everybody = Paged(ContactRange(None, None, work.now), work.now)
    enroll(work, [scene.saved()], everybody)
    after = scene.codes()
    for name, answer in before.items():
        waited = answer.code in ("awaiting_evaluation", "trigger_not_fired")
        enters = answer.code != "active" and after[name] == "active"
        if answer.refused_at is not None:
            continue
        assert not enters or waited
        assert enters or not waited or after[name] in _CONTENDED
