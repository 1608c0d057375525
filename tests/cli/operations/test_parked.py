"""`halo signals` and `halo rows`: list, retry and discard what failed; explain and status
meanwhile.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from halo_engine.series.lifecycle import find_series
from tests.cli.console import Console
from tests.pipeline.faults import NO_RUN, ROWS, RUNS, refusing

WELCOME = """\
    series:
      welcome:
        entry_trigger: user_created
        steps:
          - {key: hello, email: {subject: Hi, body: Hi}}
      other:
        entry_trigger: event
        settings: {entry_event_name: paid}
        steps:
          - {key: hello, email: {subject: Hi, body: Hi}}
"""


@pytest.fixture
def acme(bare: Console) -> Console:
    """An organisation whose series ‘welcome’ takes every new contact."""
    bare("org", "create", "acme")
    bare("series", "apply", bare.file("series.yaml", WELCOME))
    for key in ("welcome", "other"):
        bare("series", "activate", key)
    return bare


def _identify(halo: Console, *names: str) -> None:
    for name in names:
        halo("identify", name, "--trait", f"email={name}@a.example")


@pytest.fixture
def failed_signal(acme: Console) -> Iterator[Console]:
    """Bob's creation fails for ‘welcome’; others' do not."""
    welcome = acme.perform(lambda work: find_series(work, "welcome").id)
    bob = "(SELECT id FROM end_users WHERE external_id = 'bob')"
    with refusing(
        acme.database, RUNS, f"NEW.automation_id = '{welcome}' AND NEW.end_user_id = {bob}"
    ):
        _identify(acme, "ann", "bob", "cid")
        acme.work()
        yield acme


def test_a_signal_that_failed_is_shown(failed_signal: Console) -> None:
    """Explain names the failure, not a silent door, for this contact and series only."""
    halo = failed_signal
    [listed] = halo.json("signals", "list")
    assert (listed["kind"], listed["contact"], listed["series"]) == ("created", "bob", "welcome")
    assert (listed["tries"], listed["error"]) == (0, NO_RUN)
    said = halo.json("explain", "bob", "welcome")
    assert (said["code"], said["until"]) == ("trigger_not_fired", listed["retry_at"])
    assert said["why"].startswith("A signal of its creation, of ")
    assert said["why"].endswith(f", could not be handled: {NO_RUN}.")
    assert said["change"].endswith(f", or by `halo signals retry {listed['id']}`.")
    assert halo.json("explain", "bob", "other")["why"] == "The event ‘paid’ has never fired for it."
    assert halo.json("explain", "cid", "welcome")["why"].startswith("Enrollment 1 began on ")
    assert halo.json("signals", "list", "--series", "other") == []


def test_a_signal_that_was_set_aside_needs_a_person(failed_signal: Console) -> None:
    """Status names it with its error, and explain says what to do."""
    halo = failed_signal
    _fail_once_more(halo, "signals")
    halo.work()
    [listed] = halo.json("signals", "list")
    assert (listed["tries"], listed["retry_at"]) == (5, None)
    [status] = halo.json("status", status=1)["organizations"]
    assert status["needs"] == ["signals that failed and were set aside: 1 (`halo signals list`)"]
    assert status["parked_signals"] == [listed]
    said = halo.json("explain", "bob", "welcome")
    assert said["change"] == (
        f"It was set aside: mend the cause, then `halo signals retry {listed['id']}`."
    )


def _fail_once_more(halo: Console, table: str) -> None:
    """Let it have failed four times over five minutes, and retry it now."""
    again = {
        "signals": "parked_at = NULL, error = NULL, retry_at = NULL",
        ROWS: "scheduled_for = was_due",
    }
    with halo.database.begin() as connection:
        connection.execute(
            text(
                f"UPDATE {table} SET tries = 4, failed_at = now() - interval '6 minutes',"
                f" {again[table]} WHERE parked_at IS NOT NULL"
            )
        )
    _identify(halo, "dan")


@pytest.mark.parametrize("which", ["id", "series", "all"])
def test_a_retry_after_the_cause_is_mended_loses_nothing(acme: Console, which: str) -> None:
    """Retried by ID, by series, or all at once, each failed contact enters."""
    with refusing(acme.database, RUNS, "true"):
        _identify(acme, "ann", "bob")
        acme.work()
    listed = acme.json("signals", "list")
    assert [each["contact"] for each in listed] == ["ann", "bob"]
    given = {
        "id": [str(each["id"]) for each in listed],
        "series": ["--series", "welcome"],
        "all": ["--all"],
    }[which]
    assert acme("signals", "retry", *given) == "signals tried again: 2\n"
    acme.work()
    assert acme.json("signals", "list") == []
    assert acme.json("series", "funnel", "welcome")["enrolled"] == 2


def test_a_signal_that_is_discarded_is_gone(failed_signal: Console) -> None:
    """The contact of a discarded signal does not enter by it; the answer says so."""
    halo = failed_signal
    said = halo("signals", "discard", "--series", "welcome")
    assert said.startswith("signals discarded: 1. Nobody enters a series by them any more. ")
    assert halo.json("signals", "list") == []
    assert "door that is silent" in halo.json("explain", "bob", "welcome")["why"]


@pytest.fixture
def failed_row(acme: Console) -> Iterator[Console]:
    """Bob's email cannot be leased; others' can."""
    bob = "(SELECT id FROM end_users WHERE external_id = 'bob')"
    with refusing(
        acme.database, ROWS, f"NEW.lease_token IS NOT NULL AND NEW.end_user_id = {bob}", "UPDATE"
    ):
        _identify(acme, "ann", "bob", "cid")
        acme.work()
        yield acme


def test_a_row_that_failed_is_shown(failed_row: Console) -> None:
    """Explain names the error and the next try."""
    [listed] = failed_row.json("rows", "list")
    assert (listed["series"], listed["step"], listed["contact"]) == ("welcome", "hello", "bob")
    assert (listed["tries"], listed["error"]) == (1, f"RaiseException: no {ROWS}")
    said = failed_row.json("explain", "bob", "welcome")
    assert said["code"] == "active"
    where = said["position"]
    assert (where["step"], where["next_at"]) == ("hello", listed["retry_at"])
    assert where["problem"] == f"RaiseException: no {ROWS}"
    assert where["next"].endswith(f": RaiseException: no {ROWS}. It is tried again.")


def test_a_row_that_was_set_aside_needs_a_person(failed_row: Console) -> None:
    """Status names it; its contact stays in the series; a retry makes it due as it was."""
    halo = failed_row
    _fail_once_more(halo, ROWS)
    halo.work()
    [listed] = halo.json("rows", "list")
    [status] = halo.json("status", status=1)["organizations"]
    assert status["needs"] == ["rows that failed and were set aside: 1 (`halo rows list`)"]
    assert status["rows_set_aside"] == [listed]
    where = halo.json("explain", "bob", "welcome")["position"]
    assert where["next_at"] is None
    assert where["next"].endswith(f"mend the cause, then `halo rows retry {listed['id']}`.")
    assert halo("rows", "retry", str(listed["id"])) == "rows tried again: 1\n"
    halo.work()
    [again] = halo.json("rows", "list")
    assert (again["tries"], again["due"]) == (0, listed["due"])


def test_a_row_that_is_discarded_ends_its_run(failed_row: Console) -> None:
    """The contact of a discarded row leaves with exit reason ‘manual’, and the answer says so."""
    halo = failed_row
    assert halo("rows", "discard", "--series", "welcome") == (
        "rows discarded: 1. Their contacts have left the series, with exit reason ‘manual’.\n"
    )
    assert halo.json("rows", "list") == []
    assert "ended on" in halo.json("explain", "bob", "welcome")["why"]


@pytest.mark.parametrize("sort", ["signals", "rows"])
def test_what_is_not_named_is_refused(acme: Console, sort: str) -> None:
    """Exactly one of ids, series and all is given; unknown ones are refused; discarding all is not
    possible.
    """
    refused = acme.json(sort, "retry", status=1)["refused"]
    assert refused["message"] == f"halo {sort} retry: allowed is one of ids, series and all"
    refused = acme.json(sort, "retry", "5", "--all", status=1)["refused"]
    assert refused["status"] == 400
    refused = acme.json(sort, "discard", "5", status=1)["refused"]
    assert refused["message"] == f"There is no parked {sort[:-1]} ‘5’."
    for verb in ("list", "retry", "discard"):
        refused = acme.json(sort, verb, "--series", "none", status=1)["refused"]
        assert refused["message"] == "There is no series ‘none’."
    refused = acme.json(sort, "retry", str(2**63), status=1)["refused"]
    assert refused["status"] == 400
