"""A company's change is told to the next pass, and goes through all its phases, whichever contact
of it fails (§2, §4).
"""

from functools import partial
from typing import Any

import pytest

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.pipeline import wide
from halo_engine.tables import automation_enrollments, pass_notes, signals
from tests.pipeline.faults import MINUTE, RUNS, enrolled, refusing
from tests.pipeline.passes.test_narrow_passes import QUARTER, begun
from tests.pipeline.sandbox import Sandbox
from tests.pipeline.test_passes import PRO, entered

_IS_ACTIVE = automation_enrollments.c.ended_at.is_(None)


def mrr(sandbox: Sandbox, amount: int, **member: Any) -> None:
    """Change the company, or say who belongs to it."""
    call = IdentifyCompanyCall.model_validate({"id": "acme", "traits": {"mrr": amount}, **member})
    sandbox.perform(partial(identify_company, call=call))


def of_company(**roles: str) -> list[list[dict[str, Any]]]:
    """Return filters that hold where the company is large for one role, and small for another."""
    operators = {"large": "gt", "small": "lt"}
    return [
        [
            {"field": "company.mrr", "operator": operators[size], "value": 100},
            {"field": "role", "operator": "is", "value": role},
        ]
        for size, role in roles.items()
    ]


def members(sandbox: Sandbox, **roles: str) -> dict[str, Any]:
    """Put contacts into a large company, in this order; return their ids."""
    made = {}
    for name, role in roles.items():
        [made[name]] = sandbox.contacts([name], custom_fields={"plan": "pro", "role": role})
        mrr(sandbox, 500, user_id=name)
        sandbox.now += MINUTE
    return made


@pytest.mark.parametrize("page", [1, 100])
def test_the_next_pass_is_told_though_the_first_contact_fails(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """The exit filter kept two contacts out, and does no more; the run of the first cannot end."""
    monkeypatch.setattr(wide, "PAGE", page)
    leaves = of_company(large="owner", small="member")
    sandbox.series("pro", **PRO, settings={"exit_rules": ["filter_match"], "exit_filters": leaves})
    made = members(sandbox, a="member", b="owner", c="owner")
    begun(sandbox)
    assert entered(sandbox) == ["a"]
    mrr(sandbox, 50)
    with refusing(sandbox.database, RUNS, f"NEW.end_user_id = '{made['a']}'", "UPDATE"):
        sandbox.settle()
        assert sandbox.count(pass_notes, pass_notes.c.company_id.is_not(None)) == 1
        sandbox.tick(QUARTER)
        assert entered(sandbox) == ["a", "b", "c"]
    sandbox.wake(MINUTE)
    assert enrolled(sandbox, _IS_ACTIVE) == 2
    assert sandbox.count(signals) == 0


@pytest.mark.parametrize("page", [1, 2, 100])
def test_the_others_enter_though_the_last_contact_fails(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Its run cannot end; whoever matches by the change enters after all exits."""
    monkeypatch.setattr(wide, "PAGE", page)
    audience = of_company(large="member", small="owner")
    settings = {"exit_rules": ["segment_leave"]}
    sandbox.series("pro", **{**PRO, "audience_filters": audience}, settings=settings)
    made = members(sandbox, a="owner", b="owner", c="member")
    begun(sandbox)
    assert entered(sandbox) == ["c"]
    mrr(sandbox, 50)
    with refusing(sandbox.database, RUNS, f"NEW.end_user_id = '{made['c']}'", "UPDATE"):
        sandbox.settle()
        assert entered(sandbox) == ["c", "a", "b"]
    sandbox.wake(MINUTE)
    assert enrolled(sandbox, _IS_ACTIVE) == 2
    assert sandbox.count(signals) == 0
