"""`halo series example`: a file to start from for each trigger."""

import pytest

from halo_engine.domain.reasons import EntryTrigger
from tests.cli.console import Console


@pytest.mark.parametrize("trigger", list(EntryTrigger))
def test_each_trigger_has_an_example_that_passes_its_check(
    halo: Console, trigger: EntryTrigger
) -> None:
    """With contacts and events in place, nothing is refused or warned of."""
    halo("identify", "ann", "--trait", "email=ann@a.example")
    for event in ("trial_started", "subscription_started", "project_created"):
        halo("track", "ann", event)
    text = halo("series", "example", trigger.value)
    assert f"entry_trigger: {trigger}\n" in text
    file = halo.file("example.yaml", text)
    [checked] = halo.json("series", "check", file)
    assert (checked["refusals"], checked["warnings"]) == ([], [])
    assert halo("series", "apply", file).endswith("1 created\n")
    halo("series", "activate", checked["series"])


def test_the_examples_are_listed(bare: Console) -> None:
    """Without a name, each is listed with its purpose; an unknown name is refused with the known
    ones.
    """
    listed = [line.split()[0] for line in bare("series", "example").splitlines()]
    assert listed == ["example", "manual", "user_created", "event", "segment_match"]
    assert "'user_created'" in bare("series", "example", "welcome", status=2)


def test_the_version(bare: Console) -> None:
    """`halo --version` needs no server."""
    assert bare("--version").startswith("halo, version 0.")
