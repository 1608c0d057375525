"""A set in which a call meets an error that is no refusal, or the database goes away (§2)."""

from collections.abc import Sequence
from uuid import uuid4

from psycopg.errors import QueryCanceled
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from halo_engine.sets import SetCall, SetForm
from halo_engine.work import Work
from tests.pipeline.sandbox import new_sandbox


def _perform(_work: Work, calls: Sequence[str]) -> Sequence[str]:
    if "bad" in calls:
        raise ValueError("bad")
    if "away" in calls:
        raise PoolTimeout
    if "held up" in calls:
        raise OperationalError("select", None, QueryCanceled("time limit"))
    return calls


_FORM = SetForm(_perform, subjects=lambda _: ())


def _outcomes(database: Engine, *calls: str) -> list[object]:
    sandbox = new_sandbox(database, f"sets-{uuid4()}")
    done = sandbox.engine.perform_set(sandbox.org, [SetCall(_FORM, call) for call in calls])
    return [type(each) if isinstance(each, Exception) else each for each in done]


def test_an_error_is_the_outcome_of_its_call_alone(shared_database: Engine) -> None:
    """A call's error is its own outcome; the others of the set are done and answered."""
    assert _outcomes(shared_database, "one", "bad", "two") == ["one", ValueError, "two"]


def test_calls_committed_before_an_outage_have_answers(shared_database: Engine) -> None:
    """Calls committed before an outage have their answers, so nobody repeats them."""
    outcomes = _outcomes(shared_database, "one", "bad", "away", "two")
    assert outcomes == ["one", ValueError, PoolTimeout, PoolTimeout]


def test_after_a_time_limit_the_rest_is_given_up(shared_database: Engine) -> None:
    """After one call's time limit the others of the set are given up at once: each would wait as
    long.
    """
    outcomes = _outcomes(shared_database, "one", "held up", "two")
    assert outcomes == ["one", OperationalError, OperationalError]
