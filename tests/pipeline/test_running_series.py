"""Running series are cached between batches until one of them is changed (contract §1)."""

from halo_engine.domain.series.running import RunningSeries
from halo_engine.organizations.settings import OrganizationSettings
from halo_engine.organizations.storing import change_organization
from halo_engine.series.cache import running_series
from halo_engine.series.lifecycle import pause
from halo_engine.series.save import parse_definition, save_series
from tests.pipeline.sandbox import EMAIL, Sandbox, counted_statements


def running(sandbox: Sandbox) -> RunningSeries:
    """Return the running series as a batch does."""
    return sandbox.perform(running_series)


def keys(found: RunningSeries) -> list[str]:
    """Return the keys of the series, in their order."""
    return [each.key for each in found.series]


def test_unchanged_series_are_the_same_for_the_next_batch(sandbox: Sandbox) -> None:
    """The next batch takes one statement beside the organisation's, and uses the same index of
    series.
    """
    for key in ("a", "b", "c"):
        sandbox.series(key)
    before = running(sandbox)
    with counted_statements(sandbox.database) as statements:
        assert running(sandbox) is before
    assert len(statements) == 2
    assert keys(before) == ["a", "b", "c"]


def test_of_changed_series_the_others_are_kept(sandbox: Sandbox) -> None:
    """A series that is saved, paused or activated is read again; the others come from the cache."""
    for key in ("a", "b", "c"):
        sandbox.series(key)
    first = running(sandbox)
    data = {"entry_trigger": "event", "settings": {"entry_event_name": "paid"}, "steps": [EMAIL]}
    sandbox.perform(lambda work: save_series(work, "b", parse_definition("b", data)))
    saved = running(sandbox)
    assert keys(saved) == ["a", "b", "c"]
    assert saved.series[0] is first.series[0]
    assert saved.series[1].settings.entry_event_name == "paid"
    assert saved.series[2] is first.series[2]
    sandbox.perform(lambda work: pause(work, "a", "test"))
    sandbox.series("d")
    changed = running(sandbox)
    assert keys(changed) == ["a", "b", "c", "d"]
    assert [each.is_active for each in changed.series] == [False, True, True, True]
    assert changed.series[1] is saved.series[1]


def test_another_time_zone_makes_other_series(sandbox: Sandbox) -> None:
    """Windows without a zone use the organisation's, so its change is noticed although no series
    was written.
    """
    sandbox.series("a")
    before = running(sandbox)
    berlin = OrganizationSettings(timezone="Europe/Berlin")
    sandbox.perform(lambda work: change_organization(work.connection, work.org.key, berlin))
    after = running(sandbox)
    assert after.series[0].hours.zone.key == "Europe/Berlin"
    assert before.series[0].hours.zone.key == "UTC"
