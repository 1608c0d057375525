"""Orders with a sending time, and when it is stored (contract §2)."""

from datetime import datetime

from sqlalchemy import select, update

from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.files.apply import Applied, ApplyResult, apply_in_parts
from halo_engine.series.save import parse_definition
from halo_engine.tables import automations
from tests.pipeline.faults import LATER, MINUTE
from tests.pipeline.sandbox import Sandbox


def definition(name: str) -> SeriesDefinition:
    """Return a definition of this name."""
    return parse_definition("letter", {"name": name, "entry_trigger": "user_created", **LATER})


def applied(
    sandbox: Sandbox, name: str, sent_at: datetime, *, dry_run: bool = False
) -> list[list[Applied]]:
    """Apply the definition that was sent then."""
    letter = {"letter": definition(name)}
    return list(apply_in_parts(sandbox.perform, letter, dry_run=dry_run, sent_at=sent_at))


def test_a_trial_run_overtakes_no_order(sandbox: Sandbox) -> None:
    """A dry run, and an order that changes nothing, store no sending time, even for a series that
    has none yet. A real order that was sent earlier is still carried out.
    """
    sent_at = sandbox.now
    sandbox.now += MINUTE
    applied(sandbox, "first", sandbox.now)
    whose = automations.c.org_id == sandbox.org_id
    forgotten = update(automations).where(whose).values(definition_ordered_at=None)
    sandbox.perform(lambda work: work.connection.execute(forgotten))
    [[tried]] = applied(sandbox, "second", sandbox.now, dry_run=True)
    [[same]] = applied(sandbox, "first", sandbox.now)
    assert (tried.result, same.result) == (ApplyResult.CHANGED, ApplyResult.UNCHANGED)
    [[late]] = applied(sandbox, "third", sent_at)
    assert late.result is ApplyResult.CHANGED
    noted = select(automations.c.name, automations.c.definition_ordered_at).where(whose)
    found = sandbox.perform(lambda work: work.connection.execute(noted).one())
    assert tuple(found) == ("third", sent_at)
