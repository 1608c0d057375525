"""The ledger: matched = active + one bucket for each reason; it always adds up (§10)."""

from halo_engine.answers.ledger import Ledger
from halo_engine.answers.preview import preview
from tests.answers.stage import BY_PLAN, PRO, Stage
from tests.contacts.stage import add_contact, new_organization, statements


def test_every_matched_contact_is_in_one_bucket(stage: Stage) -> None:
    """Empty buckets are left out; the others come in the order of §4."""
    acme = stage.company("acme")
    stage.pro("ann", "bob", company_id=acme)
    stage.pro("out")
    settings = {
        "one_per_company": True,
        "exit_rules": ["filter_match"],
        "exit_filters": [[{"field": "name", "operator": "is", "value": "Vip"}]],
    }
    stage.series(**BY_PLAN, settings=settings)
    stage.end("out")
    stage.pro("new1", "new2")
    stage.pro("vip", name="Vip")
    stage.add("basic", custom_fields={"plan": "basic"})
    stage.pro("gone")
    stage.suppress("gone")

    ledger = stage.ledger()
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


def test_nobody_matched_is_an_empty_ledger(stage: Stage) -> None:
    """Its sum is 0."""
    stage.add("ann")
    stage.series(**BY_PLAN)
    assert stage.ledger() == Ledger(series="s", matched=0, buckets={}, active_outside=0)


def test_active_contacts_that_no_longer_match_stand_beside_it(stage: Stage) -> None:
    """Whether audience, suppression or contact type changed, they count as ``active_outside``."""
    stage.pro("ann", "bob", "cyd", "dee")
    stage.series(**BY_PLAN)
    stage.change("bob", custom_fields={})
    stage.suppress("cyd")
    stage.change("dee", external_id=None)
    stage.series(active=False, contact_type="user", **BY_PLAN)
    ledger = stage.ledger()
    assert (ledger.matched, ledger.buckets, ledger.active_outside) == (1, {"active": 1}, 3)


def test_a_draft_keeps_everybody_out(stage: Stage) -> None:
    """The matched contacts are counted all the same."""
    stage.pro("ann", "bob")
    stage.add("cyd")
    stage.series(active=False, **BY_PLAN)
    assert stage.ledger().buckets == {"series_not_active": 2}


def test_a_kept_refusal_gives_the_bucket(stage: Stage) -> None:
    """As in explain, though the contact matches now."""
    stage.series(entry_trigger="event", settings={"entry_event_name": "go"}, **BY_PLAN)
    stage.add("ann")
    stage.fires("ann", "go")
    stage.change("ann", custom_fields={"plan": "pro"})
    stage.pro("bob")
    assert stage.ledger().buckets == {"audience_mismatch": 1, "trigger_not_fired": 1}


def test_every_source_of_an_audience_has_a_ledger(stage: Stage) -> None:
    """Also ‘all’ and a subscription list."""
    stage.add("ann", "bob", "cyd")
    stage.add("dee", email=None)
    stage.list("news", "ann", "dee")
    stage.series(key="all", entry_trigger="user_created")
    stage.series(
        key="list", entry_trigger="manual", audience_type="subscription", subscription="news"
    )
    assert stage.ledger("all").buckets == {"trigger_not_fired": 3}
    assert stage.ledger("list").buckets == {"active": 2}


def test_other_organisations_are_not_counted(stage: Stage) -> None:
    """A contact of the same name elsewhere does not count."""
    stage.pro("ann")
    stage.series(**BY_PLAN)
    elsewhere = new_organization(stage.work.connection)
    add_contact(elsewhere, "ann", custom_fields={"plan": "pro"})
    assert stage.ledger().matched == 1


def test_the_ledger_is_one_statement(stage: Stage) -> None:
    """So its numbers are of one instant; they agree with the preview."""
    stage.pro("ann", "bob")
    stage.series(audience_type="segment", audience_filters=PRO)
    series = stage.saved()
    with statements(stage.work.connection) as seen:
        matched = stage.ledger().matched
    assert [each for each in seen if "coded" in each] == seen[-1:]
    assert matched == preview(stage.work, series).matched == 2
