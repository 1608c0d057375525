"""Whether a contact is on a list, and where it stands in a series (contract §22)."""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    ScalarSelect,
    Select,
    Table,
    Text,
    case,
    exists,
    func,
    literal,
    literal_column,
    select,
)

from halo_engine.domain.fields.catalogue import Entity, Field
from halo_engine.domain.reasons import Stage
from halo_engine.domain.series.exits import ExitReason
from halo_engine.tables import (
    automation_enrollments,
    automations,
    subscription_members,
    subscriptions,
)

#: The entities whose fields are looked up in this way: none of them is ever missing.
LOOKED_UP: Final = frozenset({Entity.LIST, Entity.SERIES})


def membership(field: Field, contact: FromClause) -> ColumnElement[Any]:
    """Return what a row of contacts has for the field, by a look-up for each."""
    org_id: ColumnElement[Any] = contact.c.org_id
    if field.entity is Entity.LIST:
        return exists(_on_list(field.attribute, org_id, contact).correlate(contact))
    found = _latest_run(field.attribute, org_id, contact).correlate(contact)
    return or_never(found.scalar_subquery())


def looked_up(field: Field, org_id: ColumnElement[Any], contact: FromClause) -> Select[Any]:
    """Select the contact's value as ``stands``: no row if it is not on the list, or never was in
    the series.
    """
    if field.entity is Entity.LIST:
        found = _on_list(field.attribute, org_id, contact).limit(literal_column("1"))
    else:
        found = _latest_run(field.attribute, org_id, contact)
    # With nothing else: the statement around may read runs of its own.
    return found.correlate(contact)


def or_never(stage: ColumnElement[Any] | ScalarSelect[Any]) -> ColumnElement[Any]:
    """Return the stage of a series; a contact without a run was never in it."""
    return func.coalesce(stage, _said(Stage.NEVER))


def _on_list(key: str, org_id: ColumnElement[Any], contact: FromClause) -> Select[Any]:
    member = subscription_members
    # Written so that no index on the list can be used: it would read all of its members.
    is_its = member.c.subscription_id.is_not_distinct_from(_named(subscriptions, key, org_id))
    return select(literal_column("true").label("stands")).where(
        member.c.org_id == org_id, member.c.end_user_id == contact.c.id, is_its
    )


def _latest_run(key: str, org_id: ColumnElement[Any], contact: FromClause) -> Select[Any]:
    run = automation_enrollments
    stage = case(
        (run.c.ended_at.is_(None), _said(Stage.ACTIVE)),
        (run.c.exit_reason == ExitReason.COMPLETED.value, _said(Stage.COMPLETED)),
        (run.c.exit_reason == ExitReason.CONDITION_NOT_MET.value, _said(Stage.NOT_MET)),
        else_=_said(Stage.EXITED),
    )
    return (
        select(stage.label("stands"))
        .where(
            run.c.org_id == org_id,
            run.c.automation_id == _named(automations, key, org_id),
            run.c.end_user_id == contact.c.id,
        )
        .order_by(run.c.number.desc())
        .limit(literal_column("1"))
    )


def _named(of: Table, key: str, org_id: ColumnElement[Any]) -> ScalarSelect[Any]:
    named = select(of.c.id).where(of.c.org_id == org_id, of.c.key == literal(key, Text()))
    return named.correlate_except(of).scalar_subquery()


def _said(stage: Stage) -> ColumnElement[str]:
    return literal_column(f"'{stage}'", Text())
