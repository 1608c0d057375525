"""The ledger: matched = active + one bucket for each reason; it always adds up (§10)."""

from halo_engine.answers.reports.ledger import Ledger
from halo_engine.answers.reports.preview import preview
from tests.answers.sandbox import BY_PLAN, PRO, Sandbox
from tests.contacts.sandbox import add_contact, new_organization, statements


def test_every_matched_contact_is_in_one_bucket(sandbox: Sandbox) -> None:
    """Empty buckets are left out; the others come in the order of §4."""
    acme = sandbox.company("acme")
    sandbox.pro("ann", "bob", company_id=acme)
    sandbox.pro("out")
    settings = {
        "one_per_company": True,
        "exit_rules": ["filter_match"],
        "exit_filters": [[{"field": "name", "operator": "is", "value": "Vip"}]],
    }
    sandbox.series(**BY_PLAN, settings=settings)
    sandbox.end("out")
    sandbox.pro("new1", "new2")
    sandbox.pro("vip", name="Vip")
    sandbox.add("basic", custom_fields={"plan": "basic"})
    sandbox.pro("gone")
    sandbox.suppress("gone")

    ledger = sandbox.ledger()
    assert ledger == Ledger(
        series="s",
        matched=6,
        buckets={
            "active": 1,
            "already_enrolled": 1,
            "exit_filter": 1,
            "company_already_enrolled": 1,
            "awaiting_evaluation": 2,
        },
        active_outside=0,
    )
    assert list(ledger.buckets) == [
        "active",
        "already_enrolled",
        "exit_filter",
        "company_already_enrolled",
        "awaiting_evaluation",
    ]


def test_nobody_matched_is_an_empty_ledger(sandbox: Sandbox) -> None:
    """If no contact matched, the ledger is empty and its sum is 0."""
    sandbox.add("ann")
    sandbox.series(**BY_PLAN)
    assert sandbox.ledger() == Ledger(series="s", matched=0, buckets={}, active_outside=0)


def test_active_contacts_that_no_longer_match_stand_beside_it(sandbox: Sandbox) -> None:
    """Whether audience, suppression or contact type changed, they count as ``active_outside``."""
    sandbox.pro("ann", "bob", "cyd", "dee")
    sandbox.series(**BY_PLAN)
    sandbox.change("bob", custom_fields={})
    sandbox.suppress("cyd")
    sandbox.change("dee", external_id=None)
    sandbox.series(active=False, contact_type="user", **BY_PLAN)
    ledger = sandbox.ledger()
    assert (ledger.matched, ledger.buckets, ledger.active_outside) == (1, {"active": 1}, 3)


def test_a_draft_keeps_everybody_out(sandbox: Sandbox) -> None:
    """The matched contacts are counted all the same."""
    sandbox.pro("ann", "bob")
    sandbox.add("cyd")
    sandbox.series(active=False, **BY_PLAN)
    assert sandbox.ledger().buckets == {"series_not_active": 2}


def test_a_kept_refusal_gives_the_bucket(sandbox: Sandbox) -> None:
    """The bucket is that of the stored refusal, as in explain, though the contact matches now."""
    sandbox.series(entry_trigger="event", settings={"entry_event_name": "go"}, **BY_PLAN)
    sandbox.add("ann")
    sandbox.fires("ann", "go")
    sandbox.change("ann", custom_fields={"plan": "pro"})
    sandbox.pro("bob")
    assert sandbox.ledger().buckets == {"audience_mismatch": 1, "trigger_not_fired": 1}


def test_every_source_of_an_audience_has_a_ledger(sandbox: Sandbox) -> None:
    """‘all’ and a subscription list have a ledger too."""
    sandbox.add("ann", "bob", "cyd")
    sandbox.add("dee", email=None)
    sandbox.list("news", "ann", "dee")
    sandbox.series(key="all", entry_trigger="user_created")
    sandbox.series(
        key="list", entry_trigger="manual", audience_type="subscription", subscription="news"
    )
    assert sandbox.ledger("all").buckets == {"trigger_not_fired": 3}
    assert sandbox.ledger("list").buckets == {"active": 2}


def test_other_organisations_are_not_counted(sandbox: Sandbox) -> None:
    """A contact of the same name elsewhere does not count."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN)
    elsewhere = new_organization(sandbox.work.connection)
    add_contact(elsewhere, "ann", custom_fields={"plan": "pro"})
    assert sandbox.ledger().matched == 1


def test_the_ledger_is_one_statement(sandbox: Sandbox) -> None:
    """One statement reads the ledger, so its numbers are of one instant; they agree with the
    preview.
    """
    sandbox.pro("ann", "bob")
    sandbox.series(audience_type="segment", audience_filters=PRO)
    series = sandbox.saved()
    with statements(sandbox.work.connection) as seen:
        matched = sandbox.ledger().matched
    assert [each for each in seen if "coded" in each] == seen[-1:]
    assert matched == preview(sandbox.work, series).matched == 2
