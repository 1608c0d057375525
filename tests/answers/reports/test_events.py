"""The properties that pickers offer of an event (contract §21)."""

from halo_engine.answers.reports.events import known_properties
from tests.answers.sandbox import Sandbox
from tests.contacts.sandbox import statements


def test_the_properties_of_an_event_are_those_that_its_latest_had(sandbox: Sandbox) -> None:
    """Those seen most first, each with the type seen most; other events' are left out."""
    sandbox.add("ann")
    sandbox.tracks("ann", "paid", amount=5, plan="pro")
    sandbox.tracks("ann", "paid", amount="5", plan="free", trial=False)
    sandbox.tracks("ann", "paid", amount=7, lines=[1])
    sandbox.tracks("ann", "seen", page="/")
    with statements(sandbox.work.connection) as seen:
        found = known_properties(sandbox.work, "paid")
    assert len(seen) == 1
    assert [(each.property, each.type, each.seen) for each in found] == [
        ("amount", "number", 3),
        ("plan", "string", 2),
        ("lines", "array", 1),
        ("trial", "boolean", 1),
    ]
    assert known_properties(sandbox.work, "unheard-of") == []
