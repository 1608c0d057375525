"""An organisation's rows are its own: every key leads with it, and every hot statement names it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Table, UniqueConstraint

from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.sql.statements import unmarked
from halo_engine.tables import cell_organizations, cells, installation, metadata, organizations
from tests.pipeline.sandbox import EMAIL, Sandbox, counted_statements

#: All but the organisations themselves, the one row of what concerns all of them, and the directory
#: of cells, which is of no cell.
_OTHERS = (organizations, installation, cells, cell_organizations)
_OWNED = [each for each in metadata.sorted_tables if each not in _OTHERS]
#: A key tells whose it is: it is found by its prefix, before the organisation is known.
_FOUND_FIRST = {
    "operator_keys_prefix_key",
    "operator_sessions_hash_key",
    "sign_in_links_hash_key",
}
#: They name the organisation by its own id, hold a lock whose number is made of it, note what
#: concerns all, or are about no rows at all.
_BY_OTHER_MEANS = (
    *("FROM organizations", "UPDATE organizations", "pg_advisory_xact_lock"),
    *("UPDATE installation", "INSERT INTO installation", "SELECT set_config"),
    # Statistics are the tables', and nobody's rows are read.
    *("FROM pg_class", "ANALYZE"),
)


def _unique_keys(table: Table) -> Iterator[list[str]]:
    yield [column.name for column in table.primary_key]
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield [column.name for column in constraint.columns]
    for index in table.indexes:
        if index.unique and index.name not in _FOUND_FIRST:
            yield [column.name for column in index.columns]


@pytest.mark.parametrize("table", _OWNED, ids=lambda table: table.name)
def test_every_key_begins_with_the_organisation(table: Table) -> None:
    """Unique keys, indexes and foreign keys begin with org_id, as a distributed table's must."""
    for key in _unique_keys(table):
        assert key[0] == "org_id", key
    for index in table.indexes:
        if index.name in _FOUND_FIRST:
            continue
        assert index.columns[0].name == "org_id", index.name
    for constraint in table.foreign_key_constraints:
        assert constraint.column_keys[0] == "org_id", constraint.name


def test_every_statement_of_the_flows_names_the_organisation(sandbox: Sandbox) -> None:
    """No statement of identify, track, reacting, advancing or re-evaluating could see others."""
    gate = {"key": "gate", "condition": {"type": "user_property", "value": "plan=pro"}}
    pro = {"field": "plan", "operator": "is", "value": "pro"}
    rules = {"exit_rules": ["replied", "segment_leave", "filter_match"], "exit_filters": [pro]}
    segment = {"entry_trigger": "segment_match", "audience_type": "segment"}
    sandbox.series("welcome", steps=[gate, EMAIL])
    sandbox.series("pros", **segment, audience_filters=[pro], settings={"one_per_company": True})
    sandbox.series("left", **segment, audience_filters=[pro], settings=rules)
    with counted_statements(sandbox.database) as statements:
        for plan in ("free", "pro"):
            call = IdentifyCall(user_id="ann", traits={"plan": plan, "email": "ann@a.example"})
            sandbox.perform(lambda work, call=call: identify(work, call))  # type: ignore[misc]
            sandbox.settle()
        tracked = TrackCall(user_id="ann", event="paid")
        sandbox.perform(lambda work: track(work, tracked))
        sandbox.tick()
        sandbox.tick(timedelta(hours=1))
    assert len(statements) > 50
    assert {
        statement
        for statement in map(unmarked, statements)
        if "org_id" not in statement and not any(each in statement for each in _BY_OTHER_MEANS)
    } == set()
