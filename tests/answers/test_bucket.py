"""The contacts behind each number of a ledger (contract §10)."""

import pytest

from halo_engine.answers.reports.bucket import bucket
from halo_engine.domain.errors import Refusal
from tests.answers.sandbox import BY_PLAN, Sandbox


def names(sandbox: Sandbox, code: str) -> set[str | None]:
    """Return the external IDs of the contacts in a bucket."""
    return {each.external_id for each in bucket(sandbox.work, sandbox.saved(), code).contacts}


def peopled(sandbox: Sandbox) -> None:
    """Make a series with somebody in each of several buckets, and beside them."""
    sandbox.pro("ann", "bob", "cyd", "dee")
    sandbox.add("eve")
    sandbox.series(**BY_PLAN)
    sandbox.end("bob")
    sandbox.suppress("cyd")
    sandbox.change("dee", custom_fields={})
    sandbox.pro("fay")


def test_each_bucket_has_as_many_contacts_as_the_ledger_counts(sandbox: Sandbox) -> None:
    """Every bucket that is not empty is paged through; the codes are those of explain."""
    peopled(sandbox)
    ledger, codes = sandbox.ledger(), sandbox.codes()
    found = {code: names(sandbox, code) for code in ledger.buckets}
    assert {code: len(each) for code, each in found.items()} == ledger.buckets
    assert {name: code for code, each in found.items() for name in each} == {
        name: codes[name] for name in ("ann", "bob", "fay")
    }


def test_contacts_beside_the_ledger_have_a_bucket_too(sandbox: Sandbox) -> None:
    """Active contacts that are suppressed or outside the audience by now have a bucket of their
    own.
    """
    peopled(sandbox)
    assert names(sandbox, "active_outside") == {"cyd", "dee"}
    assert sandbox.ledger().active_outside == 2


def test_a_bucket_is_paged_newest_first(sandbox: Sandbox) -> None:
    """Each contact is on exactly one page."""
    for name in ("ann", "bob", "cyd"):
        sandbox.pro(name)
        sandbox.wait(hours=1)
    sandbox.series(**BY_PLAN)
    first = bucket(sandbox.work, sandbox.saved(), "active", size=2)
    assert [each.external_id for each in first.contacts] == ["cyd", "bob"]
    rest = bucket(sandbox.work, sandbox.saved(), "active", after=first.next, size=2)
    assert ([each.external_id for each in rest.contacts], rest.next) == (["ann"], None)


def test_a_code_that_is_none_is_refused(sandbox: Sandbox) -> None:
    """An unknown code is refused, and the refusal names the known ones."""
    sandbox.series(**BY_PLAN)
    with pytest.raises(Refusal, match="code: ‘happy’ is no bucket; allowed are active, series_not"):
        bucket(sandbox.work, sandbox.saved(), "happy")
