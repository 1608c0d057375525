"""What failed is listed, tried again and discarded by tasks, with a real worker and real ticks."""

from typing import Any

from sqlalchemy import text

from halo_engine.tables import signals
from tests.acceptance.conftest import Stack
from tests.pipeline.faults import NO_RUN, ROWS, RUNS, refusing

WELCOME: dict[str, Any] = {
    "entry_trigger": "user_created",
    "steps": [{"key": "hello", "email": {"subject": "Hi", "body": "Hi"}}],
}


def _welcome(stack: Stack) -> str:
    org = stack.organization()
    stack.ask("halo.series.apply", org=org, series={"welcome": WELCOME})
    stack.ask("halo.series.activate", org=org, series="welcome")
    return org


def _created(stack: Stack, org: str, name: str) -> None:
    traits = {"email": f"{name}@a.example"}
    stack.ask("halo.identify", widget_key=org, user_id=name, traits=traits)


def _code(stack: Stack, org: str, name: str) -> str:
    said = stack.ask("halo.series.explain", org=org, series="welcome", contact=name)
    return str(said["code"])


_ANN = "(SELECT id FROM end_users c WHERE c.org_id = NEW.org_id AND c.external_id = 'ann')"


def test_a_signal_that_fails_comes_back_by_itself(stack: Stack) -> None:
    """A failing signal is retried by the ticks until its cause is mended; other contacts enter
    meanwhile.
    """
    org = _welcome(stack)
    with refusing(stack.database, RUNS, f"NEW.end_user_id = {_ANN}"):
        for name in ("ann", "bob"):
            _created(stack, org, name)
        stack.wait_until(lambda: bool(stack.ask("halo.signals.list", org=org)), "ann's failed")
        [failed] = stack.ask("halo.signals.list", org=org)
        assert (failed["contact"], failed["error"]) == ("ann", NO_RUN)
        assert failed["retry_at"] is not None
        stack.wait_until(lambda: _code(stack, org, "bob") != "trigger_not_fired", "bob entered")
    stack.wait_until(lambda: stack.ask("halo.signals.list", org=org) == [], "it came back")
    stack.wait_until(lambda: _code(stack, org, "ann") != "trigger_not_fired", "ann entered")


def test_what_failed_is_retried_and_discarded_by_name(stack: Stack) -> None:
    """A retried signal is in the queue at once; a discarded row ends its run."""
    org = _welcome(stack)
    leased = f"NEW.lease_token IS NOT NULL AND NEW.end_user_id = {_ANN}"
    with refusing(stack.database, ROWS, leased, "UPDATE"):
        _created(stack, org, "ann")
        stack.wait_until(lambda: bool(stack.ask("halo.rows.list", org=org)), "ann's failed")
        [failed] = stack.ask("halo.rows.list", org=org, series="welcome")
        assert (failed["step"], failed["contact"]) == ("hello", "ann")
        assert stack.ask("halo.rows.retry", org=org, ids=[failed["id"]]) == {"retried": 1}
        stack.wait_until(lambda: bool(stack.ask("halo.rows.list", org=org)), "it failed again")
        gone = stack.ask("halo.rows.discard", org=org, series="welcome")
        assert gone["discarded"] == 1
    assert _code(stack, org, "ann") == "already_enrolled"
    assert stack.ask("halo.signals.retry", org=org, all=True) == {"retried": 0}
    refused = stack.ask("halo.signals.discard", org=org, all=True)["refused"]
    assert refused["message"] == "all: what is discarded is named; allowed are ids and series"
    refused = stack.ask("halo.rows.retry", org=org, ids=[5])["refused"]
    assert (refused["status"], refused["code"]) == (404, "unknown_parked_row")


def test_a_schema_that_is_migrated_late_costs_nobody_anything(stack: Stack) -> None:
    """Workers that start before `halo migrate` park nothing: calls wait, and every contact enters
    afterwards.
    """
    org = _welcome(stack)
    _rename(stack, "goal_held", "goal_holds")
    try:
        for number in range(20):
            _created(stack, org, f"u{number}")
        assert stack.ask("halo.tick") >= 1
    finally:
        _rename(stack, "goal_holds", "goal_held")
    stack.wait_until(lambda: _enrolled(stack, org) == 20, "everybody entered")
    assert stack.ask("halo.signals.list", org=org) == []
    assert stack.sandbox(org).count(signals, signals.c.failed_at.is_not(None)) == 0


def _rename(stack: Stack, before: str, after: str) -> None:
    with stack.database.begin() as connection:
        connection.execute(text(f"ALTER TABLE {RUNS} RENAME {before} TO {after}"))


def _enrolled(stack: Stack, org: str) -> int:
    return int(stack.ask("halo.series.funnel", org=org, series="welcome")["enrolled"])
