"""Save, plan, stop and release series."""

from collections.abc import Mapping
from typing import Any

from halo_engine.answers.plans.plan import plan
from halo_engine.domain.errors import Refusal, bad_input, shown, validated
from halo_engine.doors.series.releasing import ReleaseCall
from halo_engine.enrollment.releasing import discard_everybody, release_at, release_held
from halo_engine.journey.removal import stop_series
from halo_engine.rehearsal.actions.doors import BY, KeyCall, mapping_of
from halo_engine.rehearsal.sandbox import Sandbox
from halo_engine.series.files.apply import Saving, apply_definitions
from halo_engine.series.save import parse_definition
from halo_engine.series.versions import Author


def save(sandbox: Sandbox, value: Any) -> None:
    """Save series, each merged over its last definition; all in one transaction."""
    merged, reschedule = _merged(sandbox, value, "save")
    parsed = {key: parse_definition(key, data) for key, data in merged.items()}
    saving = Saving(Author(BY), reschedule=reschedule)
    sandbox.perform(lambda work: apply_definitions(work, parsed, saving))
    sandbox.definitions |= merged


def plan_save(sandbox: Sandbox, value: Any) -> None:
    """Say what saving a series would do; save nothing."""
    merged, reschedule = _merged(sandbox, value, "plan")
    if len(merged) != 1:
        raise bad_input("plan", "plans one series; allowed is one key")
    [(key, data)] = merged.items()
    definition = parse_definition(key, data)
    sandbox.plan = sandbox.perform(lambda work: plan(work, key, definition, reschedule=reschedule))
    sandbox.answer = sandbox.plan.model_dump(mode="json")


def refuse_as_planned(sandbox: Sandbox) -> None:
    """Raise the first refusal of which the last plan says that a save would meet it, if any."""
    if sandbox.plan is not None and sandbox.plan.refusals:
        raise Refusal(400, "not_activatable", sandbox.plan.refusals[0])


def _merged(sandbox: Sandbox, value: Any, action: str) -> tuple[dict[str, dict[str, Any]], bool]:
    """Return the definitions to be saved by key, and whether rows are rescheduled: ``reschedule``
    stands beside the keys.
    """
    changed = mapping_of(value, action)
    reschedule = changed.pop("reschedule", False)
    if not isinstance(reschedule, bool):
        problem = f"{shown(reschedule)} is refused; allowed are true and false"
        raise bad_input(f"{action}.reschedule", problem)
    merged = {}
    for key, changes in changed.items():
        last = sandbox.definitions.get(key)
        if last is None:
            raise bad_input(f"{action}.{key}", "there is no such series in this scenario")
        merged[key] = _merge(last, mapping_of(changes, f"{action}.{key}"))
    return merged, reschedule


def _merge(last: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge changes over a definition key by key; ``settings`` too."""
    merged = {**last, **changes}
    if "settings" in changes:
        settings = mapping_of(changes["settings"], "save: settings")
        merged["settings"] = {**last.get("settings", {}), **settings}
    return merged


def stop(sandbox: Sandbox, value: Any) -> None:
    """Stop a series: everybody leaves it."""
    stop_series(sandbox.perform, validated(KeyCall, {"series": value}, "stop").series, BY)


def release(sandbox: Sandbox, value: Any) -> None:
    """Release whoever is held in a series, or discard them."""
    call = validated(ReleaseCall, value, "release")
    if call.discard:
        sandbox.perform(lambda work: discard_everybody(work, call.series))
        return
    if (pace := call.per) is not None:
        sandbox.perform(lambda work: release_at(work, call.series, pace))
        return
    while sandbox.perform(lambda work: release_held(work, call.series)).unfinished:
        pass
