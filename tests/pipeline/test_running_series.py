"""Running series are cached between batches until one of them is changed (contract §1)."""

from halo_engine.domain.running import RunningSeries
from halo_engine.organizations import OrganizationSettings, change_organization
from halo_engine.series.lifecycle import pause
from halo_engine.series.save import parse_definition, save_series
from halo_engine.series.shelf import running_series
from tests.pipeline.stage import EMAIL, Stage, counted_statements


def running(stage: Stage) -> RunningSeries:
    """Return the running series as a batch does."""
    return stage.perform(running_series)


def keys(found: RunningSeries) -> list[str]:
    """Return the keys of the series, in their order."""
    return [each.key for each in found.series]


def test_unchanged_series_are_the_same_for_the_next_batch(stage: Stage) -> None:
    """It takes one statement beside the organisation's, and what was indexed is used again."""
    for key in ("a", "b", "c"):
        stage.series(key)
    before = running(stage)
    with counted_statements(stage.database) as statements:
        assert running(stage) is before
    assert len(statements) == 2
    assert keys(before) == ["a", "b", "c"]


def test_of_changed_series_the_others_are_kept(stage: Stage) -> None:
    """A series that is saved, paused or activated is read again; the others come from the cache."""
    for key in ("a", "b", "c"):
        stage.series(key)
    first = running(stage)
    data = {"entry_trigger": "event", "settings": {"entry_event_name": "paid"}, "steps": [EMAIL]}
    stage.perform(lambda work: save_series(work, "b", parse_definition("b", data)))
    saved = running(stage)
    assert keys(saved) == ["a", "b", "c"]
    assert saved.series[0] is first.series[0]
    assert saved.series[1].settings.entry_event_name == "paid"
    assert saved.series[2] is first.series[2]
    stage.perform(lambda work: pause(work, "a", "test"))
    stage.series("d")
    changed = running(stage)
    assert keys(changed) == ["a", "b", "c", "d"]
    assert [each.is_active for each in changed.series] == [False, True, True, True]
    assert changed.series[1] is saved.series[1]


def test_another_time_zone_makes_other_series(stage: Stage) -> None:
    """Windows without a zone use the organisation's, so its change is noticed although no series
    was written.
    """
    stage.series("a")
    before = running(stage)
    berlin = OrganizationSettings(timezone="Europe/Berlin")
    stage.perform(lambda work: change_organization(work.connection, work.org.key, berlin))
    after = running(stage)
    assert after.series[0].zone.key == "Europe/Berlin"
    assert before.series[0].zone.key == "UTC"
